#!/usr/bin/env python3
"""Whether every strategy writes the same text: token ids of `specinfer bench --prompts`, compared here with those of plain
decoding (and a few with `specinfer generate`, the other way in). Exit status 0: all are the same.

A cell is a model pair, a temperature, a number of threads and a strategy over the prompts. Plain decoding with two threads is
what all are compared with, also `auto` with one thread.

examples: same_text.py --prompts code.jsonl edit.jsonl chat.jsonl
          same_text.py --prompts code.jsonl --limit 3 --max-tokens 48 --pairs small     # a sample
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LARGE, DRAFT, SMALL = "qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b", "smollm2-135m"

# (model, draft, {threads: strategies}).
PAIRS = {
    "large": (LARGE, DRAFT, {2: ["off", "ngram", "draft", "tree", "auto"], 1: ["off", "auto"]}),
    "small": (SMALL, "", {2: ["off", "ngram", "early-exit", "auto"], 1: ["off", "auto"]}),
}


def run_bench(arguments, pair, threads, strategies, temperature, path):
    """{(strategy, index of the prompt): token ids}."""
    model, draft, _ = PAIRS[pair]
    with tempfile.NamedTemporaryFile() as file:
        command = [arguments.specinfer, "bench", "-m", model, *(["-d", draft] if draft else []), "--threads", threads,
                   "--prompts", path, "--skip", arguments.skip, "--limit", arguments.limit,
                   "--max-tokens", arguments.max_tokens, "--strategies", ",".join(strategies), "--temperature", temperature,
                   "--seed", arguments.seed, "--repeat", arguments.repeat, "--ids", "--json", file.name]
        result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        rows = [json.loads(line) for line in file.read().decode().splitlines()]
    ids = {(row["strategy"], row["index"]): row["tokens"] for row in rows if row["what"] == "prompt"}
    if not ids:
        sys.exit(f"{arguments.specinfer} failed with {result.returncode}: {result.stderr.strip()[-400:]}")
    differs = any(row["what"] == "prompt" and not row["same_text"] for row in rows)
    if differs != (result.returncode != 0):
        sys.exit(f"bench ended with {result.returncode}, but its texts are {'not ' if differs else ''}the same: "
                 f"{result.stderr.strip()[-400:]}")
    return ids


def run_generate(arguments, pair, strategy, temperature, text):
    model, draft, _ = PAIRS[pair]
    command = [arguments.specinfer, "generate", "-m", model, *(["-d", draft] if draft else []), "-p", text, "-n",
               arguments.max_tokens, "--temperature", temperature, "--seed", arguments.seed, "--strategy", strategy, "--json"]
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{arguments.specinfer} generate failed: {result.stderr.strip()[-400:]}")
    return json.loads(result.stdout)["tokens"]


def first_difference(ids, expected):
    """None: there is none."""
    if ids == expected:
        return None
    return next((place for place, (one, other) in enumerate(zip(ids, expected)) if one != other), min(len(ids), len(expected)))


class Cell:
    def __init__(self):
        self.num_prompts = self.num_tokens = 0
        self.differences = []

    def add(self, where, ids, expected):
        self.num_prompts += 1
        self.num_tokens += len(expected)
        place = first_difference(ids, expected)
        if place is not None:
            self.differences.append(f"{where} at token {place}")


def check(arguments, pair, temperature, path, cells):
    expected = None
    for threads, strategies in PAIRS[pair][2].items():
        ids = run_bench(arguments, pair, threads, strategies, temperature, path)
        expected = expected or {index: tokens for (strategy, index), tokens in ids.items() if strategy == "off"}
        for (strategy, index), tokens in ids.items():
            cell = cells.setdefault((pair, temperature, threads, strategy), Cell())
            cell.add(f"prompt {index} of {path.name}", tokens, expected[index])
        print(f"{pair}, {path.name}, temperature {temperature:g}, {threads} threads: done", file=sys.stderr)
    lines = path.read_text().splitlines()
    for index in sorted(expected)[:arguments.generate]:
        prompt = json.loads(lines[index])
        text = prompt.get("user") or prompt["turns"][0]
        for strategy in PAIRS[pair][2][2]:
            cell = cells.setdefault((pair, temperature, "generate", strategy), Cell())
            tokens = run_generate(arguments, pair, strategy, temperature, text)
            cell.add(f"prompt {index} of {path.name}", tokens, expected[index])


def print_cells(cells):
    print(f"\n{'models':8} {'temperature':>11} {'threads':>9} {'strategy':12} {'prompts':>8} {'tokens':>8} {'same':>6}")
    for (pair, temperature, threads, strategy), cell in cells.items():
        num_same = cell.num_prompts - len(cell.differences)
        note = f"  first: {cell.differences[0]}" if cell.differences else ""
        print(f"{pair:8} {temperature:11g} {threads!s:>9} {strategy:12} {cell.num_prompts:8} {cell.num_tokens:8} "
              f"{num_same:6}{note}")


def skip_if_missing(arguments):
    for name in {name for pair in arguments.pairs for name in PAIRS[pair][:2] if name}:
        if subprocess.run([arguments.specinfer, "models", "path", name], capture_output=True).returncode != 0:
            print(f"skipped: the model {name} is not there; `specinfer models get {name}` fetches it")
            sys.exit(77)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specinfer", type=pathlib.Path, default=ROOT / "build/release/bin/specinfer")
    parser.add_argument("--prompts", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(PAIRS),
                        help=f"large: {LARGE} with {DRAFT}; small: {SMALL} alone")
    parser.add_argument("--temperatures", type=float, nargs="+", default=[0, 0.8])
    parser.add_argument("--limit", type=int, default=20, help="prompts of each file")
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--generate", type=int, default=1, help="prompts of each file that `generate` answers too")
    parser.add_argument("--skip-missing", action="store_true", help="exit with 77 where a model is not there")
    arguments = parser.parse_args()
    arguments.specinfer = arguments.specinfer.resolve()
    if arguments.skip_missing:
        skip_if_missing(arguments)
    cells = {}
    for pair in arguments.pairs:
        for temperature in arguments.temperatures:
            for path in arguments.prompts:
                check(arguments, pair, temperature, path, cells)
    print_cells(cells)
    num_different = sum(len(cell.differences) for cell in cells.values())
    print(f"\n{sum(cell.num_prompts for cell in cells.values())} texts, {num_different} differ")
    sys.exit(1 if num_different else 0)


if __name__ == "__main__":
    main()
