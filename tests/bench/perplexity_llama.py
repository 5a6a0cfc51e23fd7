#!/usr/bin/env python3
"""Perplexity of a text's first N tokens, in one window: `specinfer bench --perplexity` and the same quantity from
llama.cpp's logits. Both tokenize for themselves; the ids, the beginning of the text included, must be equal.

Exit status 1 when the ids differ or the perplexities are more than --tolerance apart.

example: perplexity_llama.py --llama-include llama.cpp/include llama.cpp/ggml/include --llama-lib llama.cpp/build/bin
         --model a.gguf --file prose.txt code.txt
"""
import argparse
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def run(command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{command[0]} failed with {result.returncode}: {result.stderr.strip()[-400:]}")
    return result.stdout


def compile_peer(arguments, folder):
    source = folder / "llama_logits.cc"
    shutil.copy(HERE / "llama_logits.cc.in", source)
    program = folder / "llama_logits"
    run(["c++", "-std=c++17", "-O2", source, "-o", program]
        + [f"-I{path}" for path in arguments.llama_include]
        + [f"-L{arguments.llama_lib}", f"-Wl,-rpath,{arguments.llama_lib}", "-lllama", "-lggml", "-lggml-base"])
    return program


def compare(arguments, program, model, text):
    peer = json.loads(run([program, model, text, arguments.context, arguments.threads]))
    common = ["--model", model, "--threads", arguments.threads]
    ids = json.loads(run([arguments.specinfer, "tokenize", *common, "--bos", "--bytes", "--file", text]))[0]
    ours = json.loads(run([arguments.specinfer, "bench", *common, "--perplexity", text, "--context",
                           arguments.context, "--repeat", 1, "--json", "-"]))
    ids = ids[:arguments.context]
    llama_perplexity = math.exp(peer["mean_nll"])
    row = {"what": "perplexity", "model": model.name, "file": text.name, "context": arguments.context,
           "adds_bos": peer["adds_bos"], "same_tokens": ids == peer["tokens"], "perplexity": ours["perplexity"],
           "llama_perplexity": llama_perplexity, "ratio": ours["perplexity"] / llama_perplexity,
           "backend": ours["backend"], "cpu": ours["cpu"]}
    if not row["same_tokens"]:
        differing = next((i for i, (a, b) in enumerate(zip(ids, peer["tokens"])) if a != b), len(ids))
        row["first_difference"] = [differing, ids[differing:differing + 4], peer["tokens"][differing:differing + 4]]
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specinfer", type=pathlib.Path, default=ROOT / "build/release/bin/specinfer")
    parser.add_argument("--llama-include", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--llama-lib", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--file", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--tolerance", type=float, default=0.01)
    parser.add_argument("--json", type=pathlib.Path, help="one object per line")
    arguments = parser.parse_args()
    rows = []
    print(f"{'model':44} {'file':20} {'BOS':4} {'ids':8} {'ours':>10} {'llama':>10} {'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        program = compile_peer(arguments, pathlib.Path(folder))
        for model in arguments.model:
            for text in arguments.file:
                row = compare(arguments, program, model, text)
                rows.append(row)
                print(f"{row['model']:44} {row['file']:20} {'yes' if row['adds_bos'] else 'no':4} "
                      f"{'same' if row['same_tokens'] else 'DIFFER':8} {row['perplexity']:10.4f} "
                      f"{row['llama_perplexity']:10.4f} {row['ratio']:8.4f}", flush=True)
                if "first_difference" in row:
                    print("  first difference (index, ours, theirs):", row["first_difference"])
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in rows))
    sys.exit(0 if all(row["same_tokens"] and abs(row["ratio"] - 1) <= arguments.tolerance for row in rows) else 1)


if __name__ == "__main__":
    main()
