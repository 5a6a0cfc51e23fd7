"""src/ and backends/ have no variable that lives as long as the process and can change: no non-const globals, no
`static` variables in functions or classes. Reads the text, so it knows only the shapes that our style writes."""
import re

import sources

NAMESPACE = re.compile(r"^(?:inline\s+)?namespace\b[^;(]*$|^extern\s*\"\"$")
SKIPPED = re.compile(r"^(?:using|typedef|template|class|struct|enum|union|namespace|static_assert|friend|extern|concept"
                     r"|constexpr|constinit\s+const|const\b|static\s+const(?:expr)?\b|inline\s+const(?:expr)?\b"
                     r"|alignas\s*\([^)]*\)\s*(?:static\s+)?const|thread_local|\[\[)")
VARIABLE = re.compile(r"^[\w:<>,\s*&]+[\s*&>](\w+)\s*(?:\[[^\]]*\]\s*)*(?:=.*)?$", re.S)
CHANGING_POINTER = re.compile(r"\bconst\s+char\s*\*\s*(?!const\b)\w+\s*(?:=|\[|;|$)")
STATIC = re.compile(r"\bstatic\s+(?!constexpr\b|const\b|_assert\b|assert\b)[^();={}]*?(\w+)\s*(?:\[[^\]]*\]\s*)*(?:=|;|\{)")


FUNCTION_TYPE = re.compile(r"\busing\s+(\w+)\s*=\s*[^;(]*\([^*;][^;]*\)\s*;|\btypedef\s+[^;(]*?(\w+)\s*\([^*;]")


def without_preprocessor(code):
    return re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", "", code, flags=re.M)


def globals_of(code, function_types):
    """(line, name) of each changeable variable at namespace scope."""
    depth_of_blocks = 0  # braces that are not namespaces
    statement, start = "", 1
    line = 1
    stack = []
    for character in code:
        if character == "\n":
            line += 1
        if depth_of_blocks == 0 and not statement.strip():
            start = line
        if character == "{":
            text = " ".join(statement.split())
            is_namespace = depth_of_blocks == 0 and NAMESPACE.match(text) is not None
            stack.append(is_namespace)
            if is_namespace:
                statement = ""
            else:
                depth_of_blocks += 1
        elif character == "}":
            if stack and not stack.pop():
                depth_of_blocks -= 1
                # The end of a function, unless an initializer: then ";" follows.
                if depth_of_blocks == 0 and "(" in statement and "=" not in statement.split("(")[0]:
                    statement = ""
            else:
                statement = ""
        elif depth_of_blocks == 0:
            if character == ";":
                text = " ".join(statement.split())
                name = changeable(text)
                if name and text.split()[0] not in function_types:  # KernelType DoThis, DoThat; declares functions
                    yield start, name
                statement = ""
            else:
                statement += character


def changeable(text):
    if CHANGING_POINTER.search(text) and "(" not in text:
        return text
    if not text or SKIPPED.match(text):
        return None
    head = text.split("=")[0]
    if "(" in head:
        return None  # a function
    found = VARIABLE.match(text)
    return found.group(1) if found else None


def main():
    root = sources.root_argument()
    breaches = []
    paths = sources.files(root, ("src", "backends"))
    codes = {path: without_preprocessor(sources.code_of(sources.read(root / path))) for path in paths}
    function_types = {name for code in codes.values() for names in FUNCTION_TYPE.findall(code) for name in names if name}
    for path, code in codes.items():
        for line, name in globals_of(code, function_types):
            breaches.append(f"{path}:{line}: global that can change: {name}")
        for found in STATIC.finditer(code):
            line = code.count("\n", 0, found.start()) + 1
            breaches.append(f"{path}:{line}: static that can change: {found.group(1)}")
    sources.report("globals", len(paths), breaches)


main()
