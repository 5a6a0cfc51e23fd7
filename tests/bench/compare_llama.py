#!/usr/bin/env python3
"""Decode and prefill speed of `specinfer bench` and of llama.cpp's llama-bench, alternating, beside the bound.

The bound of decoding is the time to read the weights once, at the bandwidth that `specinfer bench` measures with the
same number of threads.

example: compare_llama.py --llama-bench ~/llama.cpp/build/bin/llama-bench --model a.gguf b.gguf --rounds 5
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{command[0]} failed: {result.stderr.strip()[-400:]}")
    return result.stdout


def run_ours(arguments, model):
    with tempfile.NamedTemporaryFile() as file:
        run([arguments.specinfer, "bench", "--model", model, "--threads", arguments.threads, "--decode",
             arguments.decode, "--prefill", arguments.prefill, "--repeat", 1, "--json", file.name])
        return {row["what"]: row for row in map(json.loads, file.read().decode().splitlines())}


def run_llama(arguments, model):
    """Tokens per second."""
    speeds = {}
    for line in run([arguments.llama_bench, "-m", model, "-t", arguments.threads, "-n", arguments.decode, "-p",
                     arguments.prefill, "-r", 1, "-o", "jsonl"]).splitlines():
        if line.startswith("{"):
            test = json.loads(line)
            speeds["decode" if test["n_gen"] else "prefill"] = test["avg_ts"]
    return speeds


def measure(arguments, model):
    ours, llama = [], []
    for index in range(arguments.rounds):
        arms = [lambda: ours.append(run_ours(arguments, model)), lambda: llama.append(run_llama(arguments, model))]
        for arm in arms if index % 2 == 0 else reversed(arms):
            arm()
        print(f"{model.name}: round {index + 1} of {arguments.rounds}", file=sys.stderr)
    rows = []
    for what in ("decode", "prefill"):
        our_speeds = [rows_of_round[what]["tokens_per_second"] for rows_of_round in ours]
        llama_speeds = [speeds[what] for speeds in llama]
        row = {"what": what, "model": model.name, "threads": arguments.threads,
               "tokens": arguments.decode if what == "decode" else arguments.prefill,
               "tokens_per_second": statistics.median(our_speeds),
               "llama_tokens_per_second": statistics.median(llama_speeds),
               "ratio": statistics.median(our_speeds) / statistics.median(llama_speeds),
               "ratio_of_best": max(our_speeds) / max(llama_speeds),
               "all_tokens_per_second": our_speeds, "all_llama_tokens_per_second": llama_speeds,
               "backend": ours[0][what]["backend"], "cpu": ours[0][what]["cpu"]}
        if what == "decode":
            row["bandwidth_gbs"] = max(rows_of_round[what]["bandwidth_gbs"] for rows_of_round in ours)
            row["bound_milliseconds"] = min(rows_of_round[what]["bound_milliseconds"] for rows_of_round in ours)
            row["bound_fraction"] = row["bound_milliseconds"] * row["tokens_per_second"] / 1e3
        rows.append(row)
    return rows


def print_table(rows):
    print(f"{rows[0]['cpu']}, {rows[0]['threads']} threads, {rows[0]['backend']}")
    print(f"{'model':44} {'what':8} {'ours t/s':>10} {'llama t/s':>10} {'ratio':>6} {'best':>6}  bound")
    for row in rows:
        bound = ""
        if "bandwidth_gbs" in row:
            bound = (f"{1e3 / row['bound_milliseconds']:.1f} t/s at {row['bandwidth_gbs']:.1f} GB/s: "
                     f"{100 * row['bound_fraction']:.0f} %")
        print(f"{row['model']:44} {row['what']:8} {row['tokens_per_second']:10.1f} "
              f"{row['llama_tokens_per_second']:10.1f} {row['ratio']:6.2f} {row['ratio_of_best']:6.2f}  {bound}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specinfer", type=pathlib.Path, default=ROOT / "build/release/bin/specinfer")
    parser.add_argument("--llama-bench", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--decode", type=int, default=128)
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--json", type=pathlib.Path, help="one object per line")
    arguments = parser.parse_args()
    rows = [row for model in arguments.model for row in measure(arguments, model)]
    print_table(rows)
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
