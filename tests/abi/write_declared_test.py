"""Writes a C program that takes the address of every function the headers declare."""
import sys

from public_functions import public_functions

PROGRAM = """/* Written by write_declared_test.py: every function that the headers declare, by address. */
#include "specinfer.h"
#include "specinfer/live_speech.h"
#include "specinfer/speech.h"
#include "specinfer/speculation.h"

typedef void (*any_function)(void);

static const any_function functions[] = {{
{functions}
}};

int main(void) {{
  size_t i = 0;
  for (i = 0; i < sizeof(functions) / sizeof(functions[0]); ++i) {{
    if (functions[i] == NULL) return 1;
  }}
  return 0;
}}
"""


def main():
    out_path, *header_paths = sys.argv[1:]
    for path in header_paths:
        if not public_functions([path]):
            sys.exit(f"{path}: declares no functions")
    names = public_functions(header_paths)
    lines = "\n".join(f"    (any_function){name}," for name in names)
    with open(out_path, "w", encoding="utf-8") as out:
        out.write(PROGRAM.format(functions=lines))


main()
