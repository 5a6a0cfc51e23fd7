#!/usr/bin/env python3
"""Objects compiled for one instruction set share no inline function with others.

The linker keeps one copy of a weak symbol for the whole library: it might be the one with AVX-512 instructions.
"""
import argparse
import pathlib
import re
import subprocess
import sys

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--nm", required=True)
parser.add_argument("objects", nargs="+")
arguments = parser.parse_args()

isa_objects = [path for path in arguments.objects if re.search(r"_(avx2|avx512|amx|neon)\.cc\.o$", path)]
if not isa_objects:
    sys.exit("no object of one instruction set was given")
failures = []
for path in isa_objects:
    listing = subprocess.run([arguments.nm, "-C", "--defined-only", path], capture_output=True, text=True, check=True)
    for line in listing.stdout.splitlines():
        kind, name = line[17:].split(" ", 1)
        if kind in "WVu":
            failures.append(f"{pathlib.Path(path).name}: {name}")
if failures:
    sys.exit("weak symbols:\n" + "\n".join(failures))
print(f"{len(isa_objects)} objects, no weak symbol")
