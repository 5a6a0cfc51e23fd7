"""A header's guard is its path: src/base/half.h has SPECINFER_SRC_BASE_HALF_H_; include/ is left out."""
import re

import sources

GUARD = re.compile(r"^#ifndef (\w+)\n#define (\w+)\n", re.M)


def expected_guard(path):
    parts = path.parts[1:] if path.parts[0] == "include" else path.parts
    name = re.sub(r"[^A-Za-z0-9]", "_", "_".join(parts)).upper() + "_"
    return name if name.startswith("SPECINFER_") else "SPECINFER_" + name


def main():
    root = sources.root_argument()
    breaches = []
    paths = [path for path in sources.files(root, ("include", "src", "backends", "tools", "tests", "samples"))
             if path.suffix in (".h", ".hpp", ".cuh") and "headers" not in path.parts]
    for path in paths:
        text = sources.read(root / path)
        expected = expected_guard(path)
        found = GUARD.search(text)
        if not found or found.group(1) != expected or found.group(2) != expected:
            breaches.append(f"{path}: the guard must be {expected}")
        elif not text.rstrip().endswith((f"#endif  // {expected}", f"#endif /* {expected} */")):
            breaches.append(f"{path}: must end with #endif  // {expected}")
    sources.report("header_guard", len(paths), breaches)


main()
