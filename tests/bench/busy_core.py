#!/usr/bin/env python3
"""Decode speed while another process keeps a core busy, beside what would be ideal.

Arms alternate. `share` is what the scheduler leaves of a busy core to a thread of ours: a half beside a burner of our own
niceness, nearly all beside one of niceness 19. Ideal is (1 + share) times one quiet thread, but never more than two quiet
threads. `--specinfer` may be given several times to compare builds.

example: busy_core.py --model smollm2-135m --rounds 5
"""
import argparse
import collections
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Ends with its parent, however that ends.
BURN = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1000000):
        pass
"""
# name, threads of ours, niceness of a burner on each core
ARMS = [
    ("1 thread, quiet", 1, []),
    ("2 threads, quiet", 2, []),
    ("1 thread, a core busy", 1, [0]),
    ("2 threads, a core busy", 2, [0]),
    ("2 threads, a core busy at nice 19", 2, [19]),
    ("2 threads, both cores busy", 2, [0, 0]),
]


def start_burner(core, niceness):
    def prepare():
        os.sched_setaffinity(0, {core})
        os.nice(niceness)
    return subprocess.Popen([sys.executable, "-c", BURN], preexec_fn=prepare)


def decode(arguments, program, threads):
    """Milliseconds per token, the median of the repetitions."""
    with tempfile.NamedTemporaryFile() as file:
        command = [program, "bench", "--model", arguments.model, "--threads", threads, "--decode", arguments.decode,
                   "--repeat", arguments.repeat, "--json", file.name]
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
        return json.loads(file.read().decode().splitlines()[0])["milliseconds"]


def run_arm(arguments, program, threads, niceness):
    cores = sorted(os.sched_getaffinity(0))
    burners = [start_burner(core, nice) for core, nice in zip(reversed(cores), niceness)]
    try:
        time.sleep(0.2)
        return decode(arguments, program, threads)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def ideal(arm, times):
    """Milliseconds per token if every share of a core were used."""
    _, threads, niceness = arm
    shares = [0.5 if nice == 0 else 1 - 15 / 1024 for nice in niceness] + [1.0, 1.0]
    shares = sorted(shares[:2], reverse=True)[:threads]
    one = times["1 thread, quiet"]
    two = times["2 threads, quiet"]
    return one / shares[0] if threads == 1 else max(one / sum(shares), two)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specinfer", action="append", type=pathlib.Path)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--decode", type=int, default=128)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--arms", default="", help="only arms whose name contains this")
    arguments = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("this process may use one CPU only: two are needed")
    programs = arguments.specinfer or [ROOT / "build/release/bin/specinfer"]
    arms = [arm for arm in ARMS if arguments.arms in arm[0] or "quiet" in arm[0]]
    medians = collections.defaultdict(list)
    for index in range(arguments.rounds):
        order = [(program, arm) for arm in arms for program in programs]
        for program, arm in order if index % 2 == 0 else reversed(order):
            medians[program, arm[0]].append(run_arm(arguments, program, arm[1], arm[2]))
    for program in programs:
        times = {arm[0]: statistics.median(medians[program, arm[0]]) for arm in arms}
        least = {arm[0]: min(medians[program, arm[0]]) for arm in arms}
        print(f"{program}, {arguments.model}")
        print(f"{'':36}{'ms/token':>9}{'least':>9}{'tokens/s':>10}{'ideal':>8}{'reached':>9}")
        for arm in arms:
            name, best = arm[0], ideal(arm, times)
            print(f"{name:36}{times[name]:9.2f}{least[name]:9.2f}{1000 / times[name]:10.1f}{1000 / best:8.1f}"
                  f"{best / times[name]:8.0%}")


if __name__ == "__main__":
    main()
