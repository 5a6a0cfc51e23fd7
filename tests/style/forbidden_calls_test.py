"""src/ and backends/ never end the host's process, print, read the environment, throw, or keep state per thread."""
import re

import sources

FORBIDDEN = [
    (r"\b(?:abort|exit|_exit|_Exit|quick_exit|at_quick_exit|atexit|terminate|raise)\s*\(", "ends the process"),
    (r"\b(?:printf|fprintf|vprintf|vfprintf|dprintf|puts|fputs|putchar|fputc|perror)\s*\(", "prints"),
    (r"\bstd\s*::\s*(?:cout|cerr|clog|cin)\b|#\s*include\s*<iostream>", "prints"),
    (r"\b(?:getenv|secure_getenv|setenv|unsetenv|putenv)\s*\(|\benviron\b", "touches the environment"),
    (r"\bthrow\b", "throws"),
    (r"\b(?:setlocale|signal|sigaction|system|popen)\s*\(|\bfork\s*\(\s*\)", "changes the host's process"),
    (r"\b(?:ABSL_RAW_CHECK|ABSL_RAW_LOG|LOG|CHECK)\s*\(", "ends the process or prints"),
]
THREAD_LOCAL = re.compile(r"\bthread_local\b")
KEEPS_LAST_ERROR = "src/api/edge."  # the one place with state per thread


def main():
    root = sources.root_argument()
    rules = [(re.compile(pattern), why) for pattern, why in FORBIDDEN]
    breaches = []
    paths = sources.files(root, ("src", "backends"))
    for path in paths:
        for number, line in enumerate(sources.code_of(sources.read(root / path)).splitlines(), 1):
            for rule, why in rules:
                if found := rule.search(line):
                    breaches.append(f"{path}:{number}: {found.group().strip()} {why}")
            if THREAD_LOCAL.search(line) and not str(path).startswith(KEEPS_LAST_ERROR):
                breaches.append(f"{path}:{number}: thread_local outside {KEEPS_LAST_ERROR}cc")
    sources.report("forbidden_calls", len(paths), breaches)


main()
