"""The names of the functions that a public header declares, in its order."""
import re


def public_functions(header_path):
    with open(header_path, encoding="utf-8") as header:
        text = re.sub(r"/\*.*?\*/", " ", header.read(), flags=re.DOTALL)
    return re.findall(r"\bSPECINFER_API\b[^;{(]*?\b(specinfer_\w+)\s*\(", text)
