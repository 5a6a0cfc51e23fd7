"""What the library exports equals exported_symbols.txt, and that equals what the headers declare.

A change of exported_symbols.txt is a change of the API: it is seen in review.
"""
import argparse
import subprocess
import sys

from public_functions import public_functions


def exported_symbols(nm, library):
    listing = subprocess.run([nm, "-D", "--defined-only", library], check=True, capture_output=True, text=True)
    symbols = set()
    for line in listing.stdout.splitlines():
        kind, name = line.split()[-2:]
        if kind != "A":  # the version node itself
            symbols.add(name.split("@")[0])
    return symbols


def expected_symbols(path):
    with open(path, encoding="utf-8") as lines:
        return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def report(what, names):
    for name in sorted(names):
        print(f"{what}: {name}")
    return bool(names)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--library", "--nm", "--expected"):
        parser.add_argument(option, required=True)
    parser.add_argument("--headers", required=True, nargs="+")
    options = parser.parse_args()
    exported = exported_symbols(options.nm, options.library)
    expected = expected_symbols(options.expected)
    declared = set(public_functions(options.headers))
    failures = [
        report("exported, but not in exported_symbols.txt", exported - expected),
        report("in exported_symbols.txt, but not exported", expected - exported),
        report("declared in a header, but not in exported_symbols.txt", declared - expected),
        report("in exported_symbols.txt, but not declared in a header", expected - declared),
    ]
    if not expected:
        sys.exit("exported_symbols.txt is empty")
    sys.exit(any(failures))


main()
