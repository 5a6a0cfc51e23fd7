"""No file of ours has more than 1,000 lines."""
import sources

MAX_LINES = 1000
# Tables and generated files.
EXCEPT = set()
ENDINGS = sources.CODE_ENDINGS | {".py", ".cmake", ".txt", ".md", ".sh", ".fbs", ""}
DATA = ("tests/testdata/",)


def main():
    root = sources.root_argument()
    breaches = []
    paths = [path for path in sources.files(root, endings=ENDINGS)
             if not str(path).startswith(DATA) and path.name != "LICENSE"]
    for path in paths:
        num_lines = sources.read(root / path).count("\n")
        if num_lines > MAX_LINES and str(path) not in EXCEPT:
            breaches.append(f"{path}: {num_lines} lines, at most {MAX_LINES}")
    sources.report("file_size", len(paths), breaches)


main()
