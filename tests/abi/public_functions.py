"""The names of the functions that public headers declare, in their order."""
import re


def public_functions(header_paths):
    text = ""
    for path in header_paths:
        with open(path, encoding="utf-8") as header:
            text += re.sub(r"/\*.*?\*/", " ", header.read(), flags=re.DOTALL)
    return re.findall(r"\bSPECINFER_API\b[^;{(]*?\b(specinfer_\w+)\s*\(", text)
