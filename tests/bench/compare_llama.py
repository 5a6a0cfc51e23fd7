#!/usr/bin/env python3
"""`specinfer bench` and llama.cpp's llama-bench, alternating: decoding, a prompt of 512, and t(n), how long one pass over
n tokens takes. Ratios, each beside its goal; fractions are of the bound that `specinfer bench` measures between its runs.

llama-bench asks its head about the last token of a pass only, ours about all n: its t(n) leaves out work that a
verification needs. Its passes, like ours, stand behind --context tokens.

examples: compare_llama.py --llama-bench ~/llama.cpp/build/bin/llama-bench --model a.gguf b.gguf --rounds 5
          compare_llama.py --llama-bench ~/llama.cpp/build-avx2/bin/llama-bench --backend cpu-avx2 --model a.gguf
          compare_llama.py --llama-bench … --model a.gguf --long-context 16384 --cache-types f16 q8
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

# Of a 1.5B model of 4 bits: without tiles (AVX-512 VNNI), with tiles (AMX).
GOALS = {
    "bound fraction, n = 1": (">= 0.85", ">= 0.85"), "bound fraction, n = 2": (">= 0.85", ">= 0.85"),
    "bound fraction, n = 16": (">= 0.65", ""), "bound fraction, n = 64": (">= 0.65", ""),
    "bound fraction, prefill": (">= 0.65", ""),
    "t(2)/t(1)": ("<= 1.05", "<= 1.05"), "t(4)/t(1)": ("<= 1.2", "<= 1.15"), "t(8)/t(1)": ("<= 1.6", "<= 1.3"),
    "t(16)/t(1)": ("<= 3.0", "<= 1.5"), "t(64)/t(1)": ("<= 11", "<= 3.5"),
    "decode over llama.cpp": (">= 1.05", ">= 1.05"), "prefill over llama.cpp": (">= 2.0", ">= 1.0"),
    "t(8)/t(1), long context, f16": ("<= 3.3", "<= 2.5"), "t(8)/t(1), long context, q8": ("<= 2.2", "<= 1.8"),
}


def run(command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{command[0]} failed with {result.returncode}: {result.stderr.strip()[-400:]}")
    return result.stdout


def run_specinfer(arguments, model, *options):
    """The rows of a report, by what they measured."""
    command = [arguments.specinfer, "bench", "--model", model, "--threads", arguments.threads, *options]
    if arguments.backend:
        command += ["--backend", arguments.backend]
    with tempfile.NamedTemporaryFile() as file:
        run([*command, "--json", file.name])
        rows = map(json.loads, file.read().decode().splitlines())
        return {(row["what"], row.get("rows", 0)): row for row in rows}


def run_ours(arguments, model):
    report = run_specinfer(arguments, model, "--decode", arguments.decode, "--prefill", arguments.prefill, "--repeat", 1)
    report.update(run_specinfer(arguments, model, "--rows", ",".join(map(str, arguments.rows)), "--context",
                                arguments.context, "--repeat", arguments.row_repeats))
    return report


def run_llama(arguments, model):
    """Milliseconds, of a token for decoding, else of a pass; by the same keys."""
    common = [arguments.llama_bench, "-m", model, "-t", arguments.threads, "-o", "jsonl"]
    speed = run([*common, "-n", arguments.decode, "-p", arguments.prefill, "-r", 1])
    passes = run([*common, "-n", 0, "-p", ",".join(map(str, arguments.rows)), "-d", arguments.context,
                  "-r", arguments.row_repeats])
    report = {}
    for line in speed.splitlines() + passes.splitlines():
        if not line.startswith("{"):
            continue
        test = json.loads(line)
        if test["n_gen"]:
            report["decode", 0] = 1e3 / test["avg_ts"]
        elif test["n_depth"]:
            report["rows", test["n_prompt"]] = statistics.median(test["samples_ns"]) * 1e-6
        else:
            report["prefill", 0] = test["avg_ns"] * 1e-6
    return report


def measure(arguments, model):
    """One object per figure."""
    ours, llama = [], []
    for index in range(arguments.rounds):
        arms = [lambda: ours.append(run_ours(arguments, model)), lambda: llama.append(run_llama(arguments, model))]
        for arm in arms if index % 2 == 0 else reversed(arms):
            arm()
        print(f"{model.name}: round {index + 1} of {arguments.rounds}", file=sys.stderr)
    figures = []
    for key, first in ours[0].items():
        mine = [report[key] for report in ours]
        theirs = [report[key] for report in llama]
        milliseconds = statistics.median(row["milliseconds"] for row in mine)
        figures.append({
            "what": key[0], "rows": key[1], "model": model.name, "threads": arguments.threads,
            "context": first["context"], "milliseconds": milliseconds,
            "milliseconds_min": min(row["milliseconds_min"] for row in mine),
            "milliseconds_max": max(row["milliseconds_max"] for row in mine),
            "llama_milliseconds": statistics.median(theirs), "ratio": statistics.median(theirs) / milliseconds,
            "ratio_of_best": min(theirs) / min(row["milliseconds"] for row in mine),
            "all_milliseconds": [row["milliseconds"] for row in mine], "all_llama_milliseconds": theirs,
            **{key: statistics.median(row[key] for row in mine)
               for key in ("bound_milliseconds", "bound_fraction", "bandwidth_gbs", "peak_int8_gmacs")},
            "bound_by": first["bound_by"], "backend": first["backend"], "cpu": first["cpu"]})
    return figures


def measure_long_context(arguments, model):
    """t(8)/t(1) of each cache type, ours alone."""
    ratios = {}
    for cache_type in arguments.cache_types:
        options = ["--cache-type", cache_type] if cache_type != "f16" else []
        report = run_specinfer(arguments, model, "--rows", "1,8", "--context", arguments.long_context,
                               "--repeat", arguments.row_repeats, *options)
        ratios[f"t(8)/t(1), long context, {cache_type}"] = report["rows", 8]["ratio_to_one_row"]
    return ratios


def print_figures(figures):
    first = figures[0]
    print(f"\n{first['model']}: {first['cpu']}, {first['threads']} threads, {first['backend']}; "
          f"{first['bandwidth_gbs']:.1f} GB/s read, {first['peak_int8_gmacs']:.0f} GMAC/s in bytes")
    print(f"{'':12} {'ours ms':>10} {'min':>10} {'max':>10} {'llama ms':>10} {'ratio':>6} {'best':>6} {'bound ms':>9} "
          f"{'reached':>8}")
    for figure in figures:
        name = figure["what"] if figure["what"] != "rows" else f"t({figure['rows']})"
        print(f"{name:12} {figure['milliseconds']:10.2f} {figure['milliseconds_min']:10.2f} "
              f"{figure['milliseconds_max']:10.2f} {figure['llama_milliseconds']:10.2f} {figure['ratio']:6.2f} "
              f"{figure['ratio_of_best']:6.2f} {figure['bound_milliseconds']:9.2f} {figure['bound_fraction']:8.2f}")


def print_goals(figures, long_context):
    by_key = {(figure["what"], figure["rows"]): figure for figure in figures}
    ours = dict(long_context)
    theirs = {}
    for (what, rows), figure in by_key.items():
        if what == "rows":
            ours[f"bound fraction, n = {rows}"] = figure["bound_fraction"]
            if ("rows", 1) in by_key:
                ours[f"t({rows})/t(1)"] = figure["milliseconds"] / by_key["rows", 1]["milliseconds"]
                theirs[f"t({rows})/t(1)"] = (figure["llama_milliseconds"]
                                             / by_key["rows", 1]["llama_milliseconds"])
        else:
            ours[f"{what} over llama.cpp"] = figure["ratio"]
            ours[f"bound fraction, {what}"] = figure["bound_fraction"]
    print(f"\n{'':32} {'ours':>7} {'llama':>7}   goal of a 1.5B: VNNI, AMX")
    for name, (vnni, amx) in GOALS.items():
        if name in ours:
            peer = f"{theirs[name]:7.2f}" if name in theirs else " " * 7
            print(f"{name:32} {ours[name]:7.2f} {peer}   {vnni:8} {amx:8}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specinfer", type=pathlib.Path, default=ROOT / "build/release/bin/specinfer")
    parser.add_argument("--llama-bench", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--backend", default="", help="ours: cpu-avx2 against a llama.cpp that is built for AVX2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--decode", type=int, default=128)
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--rows", type=lambda text: [int(count) for count in text.split(",")],
                        default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--row-repeats", type=int, default=3, help="passes of each count per round")
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--long-context", type=int, default=0, help="also t(8)/t(1) behind so many tokens")
    parser.add_argument("--cache-types", nargs="+", default=["f16"])
    parser.add_argument("--json", type=pathlib.Path, help="one object per line")
    arguments = parser.parse_args()
    if os.getloadavg()[0] > 0.5:
        print(f"warning: the machine is busy (load {os.getloadavg()[0]:.1f}); llama.cpp's threads wait for each other at "
              "every op and lose more by that than ours, so ratios flatter us", file=sys.stderr)
    all_figures = []
    for model in arguments.model:
        figures = measure(arguments, model)
        long_context = measure_long_context(arguments, model) if arguments.long_context else {}
        print_figures(figures)
        print_goals(figures, long_context)
        all_figures += figures
        all_figures += [{"what": "long_context", "model": model.name, "figure": name, "context": arguments.long_context,
                         "ratio_to_one_row": ratio} for name, ratio in long_context.items()]
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(figure) + "\n" for figure in all_figures))


if __name__ == "__main__":
    main()
