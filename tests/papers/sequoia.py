#!/usr/bin/env python3
"""What Sequoia claims (Chen et al. 2024), measured with a real model and a real draft model:

  trees       tokens per round against the size of the tree, beside k independent chains of as many nodes, and beside what
              was predicted (judged: predicted within 10 % of what came)
  verifiers   tokens per round of three verifiers at five temperatures
  sizes       tokens per second with sizes chosen by measured time, beside forced sizes (judged: the chosen ones within 5 %
              of the best of them)

Trees of every size are written for real (strategy `tree`, the tree filled whatever it costs). The text is the same with all of
them, so each tells more of where the text stands among the draft's guesses, place by place. Over these places the optimal
tree of positions and the chains are replayed: that gives the tokens per round that they would have had, exactly, wherever
the places are known; and their acceptance by order gives what the paper's formula promises.

Tokens per round do not depend on how busy the machine is; tokens per second do.

examples: sequoia.py                                        # about ten minutes on two cores
          sequoia.py --parts sizes --limit 3 --repeat 3     # on a quiet machine
          sequoia.py --html sequoia.html --json sequoia.jsonl
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import positional_trees
import svg_chart

ROOT = pathlib.Path(__file__).resolve().parents[2]

PROMPTS = (
    "Write a Python function that merges two sorted lists into one sorted list, then three unit tests for it.",
    "Explain in a few paragraphs how a hash table works and when it becomes slow.",
    "Write a C function that reverses the words of a sentence in place. Comment each step.",
    "Describe a walk through a harbour town in the early morning.",
    "Rewrite this with longer names and change nothing else:\n\ndef f(a, b):\n    r = []\n    for x in a:\n        if x in b:\n"
    "            r.append(x)\n    return r",
    "List ten rules for writing clear error messages, with one example for each.",
)
SIZES = (2, 4, 8, 16, 32, 64)
# Shallow and wide: these tell the most about places that the sizes leave open.
PROBES = ((9, 1), (64, 2))
NUM_ORDERS = 8  # children that a draft proposes at most
TEMPERATURES = (0, 0.3, 0.6, 0.8, 1.0)
VERIFIERS = {"match": "tree", "ratio": "draft", "without-replacement": "tree"}  # and the strategy it is made for
VERIFIED_NODES = 16
FORCED = ((2, 1), (4, 3), (8, 3), (8, 7), (16, 6), (32, 8), (64, 10))
PREDICTED_WITHIN, CHOSEN_WITHIN = 0.10, 0.05


class Refused(Exception):
    """The command line said no."""


class Runner:
    def __init__(self, arguments):
        self.arguments = arguments
        self.deadline = time.monotonic() + 60 * arguments.minutes
        self.num_left_out = 0

    def has_time(self, part):
        """Whether this part of the time is not over yet; counts what is left out."""
        if time.monotonic() < self.deadline - 60 * self.arguments.minutes * (1 - part):
            return True
        self.num_left_out += 1
        return False

    def run(self, verb, *words):
        command = [self.arguments.specinfer, verb, "-m", self.arguments.model, "-d", self.arguments.draft, *words]
        if self.arguments.threads:
            command += ["--threads", self.arguments.threads]
        result = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace")
        if result.returncode != 0:
            raise Refused(result.stderr.strip().splitlines()[-1] if result.stderr.strip() else f"status {result.returncode}")
        return result.stdout

    def generate(self, prompt, *words, strategy="tree"):
        """(the answer, its rounds): as `generate --json` and `--trace` write them."""
        with tempfile.NamedTemporaryFile(suffix=".json") as trace:
            output = self.run("generate", "-p", prompt, "-n", self.arguments.max_tokens, "--ignore-end", "--seed",
                              self.arguments.seed, "--strategy", strategy, "--json", "--trace", trace.name, *words)
            events = json.loads(trace.read())["traceEvents"]
        return json.loads(output), [event["args"] for event in events if event.get("cat") == "round"]


# ---- Trees ----

def note_ranks(rounds, ranks):
    """Adds what these rounds tell of each place: (the least order that its token can have, the order if it is known)."""
    place = 0
    for turn in rounds:
        tree = turn["tree"]
        children = {}
        for node, parent in enumerate(tree["parents"]):
            children.setdefault(parent, []).append(node)
        path = [node for node, accepted in enumerate(tree["accepted"]) if accepted]
        for offset, node in enumerate(path[:turn["tokens"]]):
            mine = children.get(node, [])
            order = next((order for order, child in enumerate(mine) if tree["accepted"][child]), None)
            # A draft that proposes as many as it can and is wrong tells that no order is right.
            rank = order if order is not None else NUM_ORDERS if len(mine) >= NUM_ORDERS else None
            at_least, known = ranks.setdefault(place + offset, (0, None))
            ranks[place + offset] = (max(at_least, len(mine) if order is None else order), known if rank is None else rank)
        place += turn["tokens"]
    return place


def measure_trees(runner):
    """([one row for each size], p by order, {place: what is known} of each prompt)."""
    arguments = runner.arguments
    rounds_of = {size: [] for size in SIZES}
    all_ranks = []
    for index, prompt in enumerate(PROMPTS[:arguments.limit]):
        ranks, num_tokens = {}, 0
        for size, depth in [(size, 0) for size in SIZES] + list(PROBES):
            if not runner.has_time(0.45) and index > 0:
                continue
            words = ["--tree-size", size, "--tree-depth", depth or size - 1]
            _, rounds = runner.generate(prompt, "--temperature", arguments.temperature, *words)
            num_tokens = max(num_tokens, note_ranks(rounds, ranks))
            if depth == 0:
                rounds_of[size] += rounds
        all_ranks.append([ranks.get(place, (0, None)) for place in range(num_tokens)])
        print(f"trees: prompt {index + 1} of {arguments.limit}", file=sys.stderr)
    p = positional_trees.frequencies([rank for ranks in all_ranks for rank in ranks], NUM_ORDERS)
    return [tree_row(size, rounds_of[size], p, all_ranks) for size in SIZES], p, all_ranks


def tree_row(size, rounds, p, all_ranks):
    tree = positional_trees.best_tree(p, size)
    shapes = [(k, (size - 1) // k) for k in (1, 2, 4, 8, 16) if size > k]
    k, length = max(shapes, key=lambda shape: positional_trees.promise(positional_trees.chains(*shape), p))
    return {"nodes": size, "rounds": len(rounds),
            "mean_nodes": statistics.fmean(turn["nodes"] for turn in rounds),
            "tokens_per_round": sum(turn["tokens"] for turn in rounds) / len(rounds),
            "predicted": statistics.fmean(turn["predicted_tokens"] for turn in rounds),
            "positional_promise": positional_trees.promise(tree, p), "positional_replayed": replayed(tree, all_ranks),
            "chains": f"{k} x {length}", "chains_promise": positional_trees.promise(positional_trees.chains(k, length), p),
            "chains_replayed": replayed(positional_trees.chains(k, length), all_ranks),
            "chain_replayed": replayed(positional_trees.chains(1, size - 1), all_ranks)}


def replayed(topology, all_ranks):
    # As one text, so that the ends of texts cut off one round and not one for each.
    num_tokens, num_rounds, _ = positional_trees.replay(topology, [rank for ranks in all_ranks for rank in ranks])
    return num_tokens / num_rounds


def describe_trees(rows, p, all_ranks):
    places = [rank for ranks in all_ranks for rank in ranks]
    known = sum(rank is not None for _, rank in places) / len(places)
    lines = ["tokens per round against the size of the tree", "",
             "        written by the product        optimal tree of positions    best of k chains            one chain",
             "nodes   predicted  came  nodes        formula  replayed            shape    formula  replayed  replayed"]
    for row in rows:
        lines.append(f"{row['nodes']:5} {row['predicted']:11.2f} {row['tokens_per_round']:5.2f} {row['mean_nodes']:6.1f}"
                     f" {row['positional_promise']:14.2f} {row['positional_replayed']:9.2f} {row['chains']:>16}"
                     f" {row['chains_promise']:9.2f} {row['chains_replayed']:9.2f} {row['chain_replayed']:9.2f}")
    # The formula believes that each place is accepted alike; easy places come together.
    formula = rows[-1]["positional_promise"] / rows[-1]["positional_replayed"]
    return lines + ["", "acceptance by order: " + " ".join(f"{value:.3f}" for value in p) +
                    f"; of {len(places)} places {100 * known:.0f} % are known, the others count as refused",
                    f"at {rows[-1]['nodes']} nodes the formula gives {formula:.2f} of what the replay gives"]


def judge_trees(rows):
    """(what was judged, whether it holds)."""
    predicted = sum(row["predicted"] * row["rounds"] for row in rows)
    came = sum(row["tokens_per_round"] * row["rounds"] for row in rows)
    return [(f"predicted tokens are {predicted / came:.3f} of those that came", abs(predicted / came - 1) <= PREDICTED_WITHIN)]


# ---- Verifiers ----

def measure_verifiers(runner):
    """{(verifier, temperature): tokens per round and nodes, or why there are none}. At temperature 0 all are `match`."""
    cells = {}
    for verifier, strategy in VERIFIERS.items():
        for temperature in TEMPERATURES:
            cells[verifier, temperature] = measure_verifier(runner, verifier, strategy, temperature)
        print(f"verifiers: {verifier}", file=sys.stderr)
    return cells


def measure_verifier(runner, verifier, strategy, temperature):
    all_rounds = []
    for prompt in PROMPTS[:runner.arguments.limit]:
        if all_rounds and not runner.has_time(0.75):
            break
        try:
            all_rounds += runner.generate(prompt, "--temperature", temperature, "--verifier", verifier, "--tree-size",
                                          VERIFIED_NODES, strategy=strategy)[1]
        except Refused as refusal:
            return {"refused": str(refusal)}
    return {"tokens_per_round": sum(turn["tokens"] for turn in all_rounds) / len(all_rounds),
            "mean_nodes": statistics.fmean(turn["nodes"] for turn in all_rounds)}


def describe_verifiers(cells):
    lines = [f"tokens per round of up to {VERIFIED_NODES} nodes, by verifier and temperature", "",
             f"{'':34}" + "".join(f"{temperature:>7}" for temperature in TEMPERATURES) + "  nodes"]
    for verifier, strategy in VERIFIERS.items():
        mine = [cells[verifier, temperature] for temperature in TEMPERATURES]
        line = f"{f'{verifier} (strategy {strategy})':34}"
        line += "".join(f"{cell['tokens_per_round']:7.2f}" if "tokens_per_round" in cell else f"{'-':>7}" for cell in mine)
        nodes = [cell["mean_nodes"] for cell in mine if "mean_nodes" in cell]
        lines.append(line + (f"  {statistics.fmean(nodes):.1f}" if nodes else f"  refused: {mine[-1]['refused']}"))
    return lines


# ---- Sizes ----

def measure_sizes(runner):
    """{arm: [ratio to plain decoding of each repeat]}, {arm: tokens per second of each}; the arms alternate."""
    arguments = runner.arguments
    arms = {"chosen": ["--strategies", "off,tree,auto"]}
    for nodes, depth in FORCED:
        arms[f"{nodes} nodes, {depth} deep"] = ["--strategies", "off,tree", "--tree-size", nodes, "--tree-depth", depth]
    ratios, rates = {}, {}
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as prompts:
        prompts.writelines(json.dumps({"user": prompt}) + "\n" for prompt in PROMPTS)
        prompts.flush()
        for repeat in range(arguments.repeat):
            names = list(arms)
            for name in names[repeat % len(names):] + names[:repeat % len(names)]:
                if repeat > 0 and not runner.has_time(1.0):
                    break
                for row in bench_rows(runner, prompts.name, arms[name]):
                    arm = row["strategy"] if row["strategy"] == "off" else (
                        f"{row['strategy']}, {name}" if name == "chosen" else name)
                    ratios.setdefault(arm, []).append(row["ratio_to_off"])
                    rates.setdefault(arm, []).append(row["tokens_per_second"])
            print(f"sizes: repeat {repeat + 1} of {arguments.repeat}", file=sys.stderr)
    return ratios, rates


def bench_rows(runner, prompts, words):
    arguments = runner.arguments
    with tempfile.NamedTemporaryFile() as file:
        runner.run("bench", "--prompts", prompts, "--limit", arguments.limit, "--max-tokens", arguments.max_tokens,
                   "--temperature", arguments.temperature, "--seed", arguments.seed, "--repeat", 1, "--json", file.name, *words)
        rows = [json.loads(line) for line in file.read().decode().splitlines()]
    return [row for row in rows if row["what"] == "prompts" and row["category"] == "all"]


def describe_sizes(ratios, rates):
    lines = ["tokens per second by size of the tree: medians; ratios are to plain decoding in the same run", "",
             f"{'':24}{'tokens/s':>9}{'to off':>8}"]
    for arm, values in ratios.items():
        lines.append(f"{arm:24}{statistics.median(rates[arm]):9.1f}{statistics.median(values):8.3f}")
    return lines


def judge_sizes(ratios):
    forced = {arm: statistics.median(values) for arm, values in ratios.items() if "deep" in arm}
    best = max(forced, key=forced.get)
    chosen = statistics.median(ratios["tree, chosen"])
    return [(f"chosen sizes make {chosen / forced[best]:.3f} of the best forced one ({best})",
             chosen >= (1 - CHOSEN_WITHIN) * forced[best])]


# ---- All of it ----

def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specinfer", type=pathlib.Path, default=ROOT / "build/release/bin/specinfer")
    parser.add_argument("-m", "--model", default="qwen2.5-coder-1.5b")
    parser.add_argument("-d", "--draft", default="qwen2.5-coder-0.5b")
    parser.add_argument("--parts", nargs="+", choices=("trees", "verifiers", "sizes"), default=["trees", "verifiers", "sizes"])
    parser.add_argument("--limit", type=int, default=3, help=f"prompts, at most {len(PROMPTS)}")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--temperature", type=float, default=0, help="of trees and sizes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=2, help="of sizes")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=10, help="what does not fit in is left out, and said so")
    parser.add_argument("--html", type=pathlib.Path, help="a page with the chart and the tables")
    parser.add_argument("--json", type=pathlib.Path, help="one object per line")
    arguments = parser.parse_args()
    arguments.limit = min(arguments.limit, len(PROMPTS))
    return arguments


def missing_model(arguments):
    for model in (arguments.model, arguments.draft):
        if not pathlib.Path(model).exists():
            result = subprocess.run([arguments.specinfer, "models", "path", model], capture_output=True, text=True)
            if result.returncode != 0 or not pathlib.Path(result.stdout.strip()).exists():
                return f"model {model} is not here: fetch it with `specinfer models get {model}`"
    return None


def tree_chart(rows):
    def line(key):
        return [(row["nodes"], row[key]) for row in rows]
    return svg_chart.chart("Tokens per round against the size of the tree", "nodes", "tokens per round", [
        ("best-first tree, came", line("tokens_per_round"), False),
        ("the same, predicted", line("predicted"), True),
        ("optimal positions", line("positional_replayed"), False),
        ("the same, formula", line("positional_promise"), True),
        ("best of k chains", line("chains_replayed"), False),
        ("one chain", line("chain_replayed"), False)])


def main():
    arguments = parse_arguments()
    if message := missing_model(arguments):
        print(f"skipped: {message}")
        return 0
    runner = Runner(arguments)
    sections, judged, objects, chart = [], [], [], ""
    try:
        if "trees" in arguments.parts:
            rows, p, all_ranks = measure_trees(runner)
            sections.append(describe_trees(rows, p, all_ranks))
            judged += judge_trees(rows)
            objects += [{"what": "sequoia trees", **row} for row in rows] + [{"what": "sequoia acceptance", "by_order": p}]
            chart = tree_chart(rows)
        if "verifiers" in arguments.parts:
            cells = measure_verifiers(runner)
            sections.append(describe_verifiers(cells))
            objects += [{"what": "sequoia verifiers", "verifier": verifier, "temperature": temperature, **cell}
                        for (verifier, temperature), cell in cells.items()]
        if "sizes" in arguments.parts:
            ratios, rates = measure_sizes(runner)
            sections.append(describe_sizes(ratios, rates))
            judged += judge_sizes(ratios)
            objects += [{"what": "sequoia sizes", "arm": arm, "ratio_to_off": values, "tokens_per_second": rates[arm]}
                        for arm, values in ratios.items()]
    except Refused as refusal:
        sys.exit(f"{arguments.specinfer}: {refusal}")
    if judged:
        sections.append([f"{'holds' if holds else 'FAILS'}: {text}" for text, holds in judged])
    if runner.num_left_out > 0:
        sections.append([f"{runner.num_left_out} runs did not fit in {arguments.minutes:g} minutes; --minutes gives more"])
    text = "\n\n".join("\n".join(lines) for lines in sections)
    print(f"{arguments.model}, draft {arguments.draft}, {arguments.limit} prompts of {arguments.max_tokens} tokens\n\n{text}")
    if arguments.html:
        arguments.html.write_text(svg_chart.page(f"Sequoia with {arguments.model}", chart, text))
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in objects))
    return 0 if all(holds for _, holds in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
