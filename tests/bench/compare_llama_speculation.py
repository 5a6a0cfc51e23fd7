#!/usr/bin/env python3
"""Our `auto` and `off` beside llama.cpp's speculative modes, alternately, over the same prompts: tokens per second of each,
and ours as a ratio to the best of theirs.

Theirs: llama-speculative-simple with a draft model and with its n-gram modes, llama-lookup, and plain decoding, which is
llama-lookup that guesses nothing. All print how many tokens they decoded in how many seconds. Their draft model reads the
prompt before that clock starts, ours after: the comparison flatters them by as much. Each answer of theirs is a process of
its own; so is each prompt of ours. At temperature 0 the texts are nearly the same, not the same: their arithmetic differs.

examples: compare_llama_speculation.py --llama-build ~/llama.cpp/build --model qwen-1.5b.gguf --draft qwen-0.5b.gguf \\
              --prompts code.jsonl edit.jsonl --limit 10
          compare_llama_speculation.py … --arms draft-4 ngram-mod plain
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = ("off", "auto")

# Program and options of each of llama.cpp's arms; {draft} is the draft model, {threads} their number.
LLAMA = {
    "plain": ("llama-lookup", "--spec-draft-n-max 0"),
    "draft-3": ("llama-speculative-simple", "--spec-type draft-simple -md {draft} -td {threads} --spec-draft-n-max 3"),
    "draft-4": ("llama-speculative-simple", "--spec-type draft-simple -md {draft} -td {threads} --spec-draft-n-max 4"),
    "draft-8": ("llama-speculative-simple", "--spec-type draft-simple -md {draft} -td {threads} --spec-draft-n-max 8"),
    "ngram-simple": ("llama-speculative-simple", "--spec-type ngram-simple"),
    "ngram-map-k": ("llama-speculative-simple", "--spec-type ngram-map-k"),
    "ngram-map-k4v": ("llama-speculative-simple", "--spec-type ngram-map-k4v"),
    "ngram-mod": ("llama-speculative-simple", "--spec-type ngram-mod"),
    "lookup-4": ("llama-lookup", "--spec-draft-n-max 4"),
    "lookup-8": ("llama-lookup", "--spec-draft-n-max 8"),
}
DECODED = re.compile(r"decoded\s+(\d+) tokens in\s+([\d.]+) seconds")
ENCODED = re.compile(r"encoded\s+(\d+) tokens")

CHAT_ML = ("<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
           "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n")


def run(command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace")
    if result.returncode != 0:
        sys.exit(f"{command[0]} failed with {result.returncode}: {result.stderr.strip()[-400:]}")
    return result.stdout + result.stderr


def read_prompts(path, skip, limit):
    """(place in the file, text) of each; as `specinfer bench --prompts` reads them."""
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    prompts = [json.loads(line) for line in lines]
    return [(index, prompt.get("user") or prompt["turns"][0]) for index, prompt in enumerate(prompts)][skip:skip + limit]


def run_ours(arguments, path, index, is_reversed):
    """{strategy: (tokens, seconds)} and how many tokens the prompt has."""
    strategies = ",".join(reversed(OURS) if is_reversed else OURS)
    with tempfile.NamedTemporaryFile() as file:
        run([arguments.specinfer, "bench", "-m", arguments.model, "-d", arguments.draft, "--threads", arguments.threads,
             "--prompts", path, "--skip", index, "--limit", 1, "--max-tokens", arguments.max_tokens, "--strategies", strategies,
             "--repeat", 1, "--ids", "--json", file.name])
        rows = [row for row in map(json.loads, file.read().decode().splitlines()) if row["what"] == "prompt"]
    return {row["strategy"]: (len(row["tokens"]), row["seconds"]) for row in rows}, rows[0]["prompt_tokens"]


def run_llama(arguments, arm, text):
    """((tokens, seconds), tokens of the prompt)."""
    program, options = LLAMA[arm]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        # The last line break of a file is not part of their prompt.
        file.write((arguments.template.replace("{}", text) if arguments.template else text) + "\n")
        file.flush()
        output = run([arguments.llama_build / "bin" / program, "-m", arguments.model, "-f", file.name, "--no-escape",
                      "-n", arguments.max_tokens, "-c", arguments.context, "-t", arguments.threads, "--temp", 0, "-lv", 3,
                      *options.format(draft=arguments.draft, threads=arguments.threads).split()])
    decoded, encoded = DECODED.search(output), ENCODED.search(output)
    if not decoded or not encoded:
        sys.exit(f"{program} ({arm}) did not say how fast it was: {output.strip()[-400:]}")
    return (int(decoded[1]), float(decoded[2])), int(encoded[1])


def measure(arguments, path):
    """{arm: [(tokens, seconds) of each prompt]}; ours are "ours off" and "ours auto"."""
    times = {}
    prompts = read_prompts(path, arguments.skip, arguments.limit)
    for turn, (index, text) in enumerate(prompts):
        lengths = {}
        arms = ["ours", *arguments.arms]
        for arm in arms[turn % len(arms):] + arms[:turn % len(arms)]:
            if arm == "ours":
                mine, lengths["ours"] = run_ours(arguments, path, index, turn % 2 == 1)
                for strategy, result in mine.items():
                    times.setdefault(f"ours {strategy}", []).append(result)
            else:
                result, lengths[arm] = run_llama(arguments, arm, text)
                times.setdefault(arm, []).append(result)
        if len(set(lengths.values())) > 1:
            print(f"warning: prompt {index} of {path.name} has not the same length everywhere: {lengths}", file=sys.stderr)
        print(f"{path.name}: prompt {turn + 1} of {len(prompts)}", file=sys.stderr)
    return times


def figures_of(path, times):
    def rate(results):
        return sum(tokens for tokens, _ in results) / sum(seconds for _, seconds in results)
    rates = {arm: rate(results) for arm, results in times.items()}
    theirs = {arm: value for arm, value in rates.items() if arm in LLAMA}
    best = max(theirs, key=theirs.get)
    return [{"what": "speculation", "prompts": path.name, "arm": arm, "tokens_per_second": value, "best_of_llama": best,
             "ratio_to_best_of_llama": value / theirs[best],
             **({"ratio_to_llama_plain": value / theirs["plain"]} if "plain" in theirs else {}),
             "num_prompts": len(times[arm])} for arm, value in rates.items()]


def print_figures(figures):
    first = figures[0]
    print(f"\n{first['prompts']}, {first['num_prompts']} prompts; the best of llama.cpp is {first['best_of_llama']}")
    print(f"{'':16} {'tokens/s':>9} {'to its best':>12} {'to its plain':>13}")
    for figure in sorted(figures, key=lambda figure: not figure["arm"].startswith("ours")):
        print(f"{figure['arm']:16} {figure['tokens_per_second']:9.1f} {figure['ratio_to_best_of_llama']:12.2f} "
              f"{figure.get('ratio_to_llama_plain', float('nan')):13.2f}")
    off = next((figure for figure in figures if figure["arm"] == "ours off"), {})
    if off.get("ratio_to_llama_plain", 1) < 1:
        print("our plain decoding was slower than theirs in this run: a gain over `off` does not count")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specinfer", type=pathlib.Path, default=ROOT / "build/release/bin/specinfer")
    parser.add_argument("--llama-build", type=pathlib.Path, required=True, help="its build folder, with bin/ inside")
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--draft", type=pathlib.Path, required=True)
    parser.add_argument("--prompts", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--limit", type=int, default=10, help="prompts of each file")
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--context", type=int, default=4096, help="llama.cpp's; ours is the default")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--arms", nargs="+", choices=LLAMA, default=list(LLAMA), help="of llama.cpp")
    parser.add_argument("--template", default=CHAT_ML,
                        help="what stands around a prompt, {} for it; default: Qwen's; empty: none")
    parser.add_argument("--json", type=pathlib.Path, help="one object per line")
    arguments = parser.parse_args()
    arguments.specinfer = arguments.specinfer.resolve()
    arguments.llama_build = arguments.llama_build.resolve()
    return arguments


def main():
    arguments = parse_arguments()
    if os.getloadavg()[0] > 0.5:
        print(f"warning: the machine is busy (load {os.getloadavg()[0]:.1f}); llama.cpp's threads wait for each other at "
              "every op and lose more by that than ours, so ratios flatter us", file=sys.stderr)
    all_figures = []
    for path in arguments.prompts:
        figures = figures_of(path, measure(arguments, path))
        print_figures(figures)
        all_figures += figures
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(figure) + "\n" for figure in all_figures))


if __name__ == "__main__":
    main()
