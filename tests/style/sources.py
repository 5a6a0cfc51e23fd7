"""The files of the tree, their code without comments and strings, and how a rule reports."""
import os
import pathlib
import re
import sys

CODE_ENDINGS = {".h", ".hpp", ".inl", ".c", ".cc", ".cu", ".cuh"}
NOT_OURS = {"build", ".git", "__pycache__", "shared"}


def files(root, folders=("",), endings=CODE_ENDINGS):
    """Paths relative to root, sorted; endings None: every file."""
    found = []
    for folder in folders:
        for place, subfolders, names in os.walk(root / folder):
            subfolders[:] = [name for name in subfolders if name not in NOT_OURS]
            for name in names:
                if endings is None or pathlib.Path(name).suffix in endings:
                    found.append((pathlib.Path(place) / name).relative_to(root))
    return sorted(set(found))


TOKEN = re.compile(r"""
    (?P<comment> //[^\n]* | /\*.*?\*/ )
  | (?P<raw> R"(?P<mark>[^()\s\\]{0,16})\( .*? \)(?P=mark)" )
  | (?P<string> "(?:\\.|[^"\\\n])*" )
  | (?P<character> (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+' )
""", re.X | re.S)


def code_of(text):
    """The text with comments blank and strings empty; line numbers stay."""
    def blank(match):
        newlines = "\n" * match.group().count("\n")
        return newlines if match.group("comment") else '""' + newlines
    return TOKEN.sub(blank, text)


def read(path):
    return path.read_text(encoding="utf-8", errors="replace")


def root_argument():
    return pathlib.Path(sys.argv[1]).resolve()


def report(rule, num_checked, breaches):
    """Ends the script: a line per breach, or one line that says how much was looked at."""
    for breach in breaches:
        print(breach)
    if num_checked == 0:
        print(f"{rule}: no file to check")
        sys.exit(1)
    print(f"{rule}: {num_checked} files, {len(breaches)} breaches")
    sys.exit(1 if breaches else 0)
