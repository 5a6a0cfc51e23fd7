"""A folder of src/ includes only what src/layers.txt allows; a backend only src/base, src/backend and itself;
nothing above includes a backend; the C header includes nothing of ours."""
import re

import sources

INCLUDE = re.compile(r'^\s*#\s*include\s*"((?:src|backends|tests|tools|samples)/[^"]+)"', re.M)


def read_layers(root, breaches):
    layers = {}
    for line in sources.read(root / "src/layers.txt").splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        folder, _, allowed = line.partition(":")
        for name in allowed.split():
            if name not in layers:
                breaches.append(f"src/layers.txt: {folder} may include {name}, which is not above it")
        layers[folder] = set(allowed.split()) | {folder}
    return layers


def allowed_prefixes(path, layers):
    """None: the file may include anything."""
    parts = path.parts
    if parts[0] == "src" and len(parts) > 2:
        return None if parts[1] not in layers else [f"src/{name}/" for name in layers[parts[1]]]
    if parts[0] == "backends" and len(parts) > 2:
        return ["src/base/", "src/backend/", f"backends/{parts[1]}/"]
    return []


def main():
    root = sources.root_argument()
    breaches = []
    layers = read_layers(root, breaches)
    paths = sources.files(root, ("src", "backends", "include", "samples", "tools"))
    for path in paths:
        if path.parts[0] == "src" and path.parts[1] not in layers:
            breaches.append(f"{path}: folder {path.parts[1]} is not in src/layers.txt")
            continue
        allowed = allowed_prefixes(path, layers)
        for included in INCLUDE.findall(sources.read(root / path)):
            if not any(included.startswith(prefix) for prefix in allowed):
                breaches.append(f"{path}: may not include {included}")
    for path in sources.files(root, ("include",)):
        if re.search(r"#\s*include\s*[<\"](absl|nlohmann|flatbuffers)", sources.read(root / path)):
            breaches.append(f"{path}: a public header includes a library's header")
    sources.report("layering", len(paths), breaches)


main()
