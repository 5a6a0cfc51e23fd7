#!/usr/bin/env python3
"""Compares our token ids with llama.cpp's on lines of mixed text, with a fixed seed.

  compare_tokenizer.py --ours "build/release/bin/specinfer tokenize" --library libllama.so \\
                       --headers llama.cpp/include --text FOLDER MODEL.gguf...

Exit status 1 where any line differs. --lines writes nothing but the lines that would be used.
"""
import argparse
import ctypes
import glob
import json
import os
import random
import shlex
import subprocess
import sys
import tempfile

CODE = [
    "for (int i = 0; i < n; ++i) {\n\tsum += a[i] * b[i];\n}",
    "def f(x, *args, **kwargs):\n    return {'k': [y for y in x if y is not None]}\n",
    "SELECT id, name FROM users WHERE age >= 21 AND name LIKE '%O''Brien%';",
    "<div class=\"a b\">\n  <span>&nbsp;text</span>\n</div>\r\n\r\n",
    "fn main() -> Result<(), Box<dyn Error>> { let x = 0xDEAD_BEEFu64; Ok(()) }",
    "#include <vector>\n#define MAX(a,b) ((a)>(b)?(a):(b))\n\n\n// ----- end -----",
    "https://example.com/a/b?c=1&d=%20e#frag  user@example.org  C:\\Users\\me\\file.txt",
    "$ git log --oneline | head -n 20 && echo \"$HOME\"",
    "{\"a\": [1, 2.5e-3, null, true], \"b\": \"\\u00e9\\n\"}",
]
WORDS = [
    "it's", "IT'S", "don't", "DON'T", "we'Re", "they'VE", "I'm", "I'M", "you'll", "YOU'LL", "he'd", "HE'D", "'s", "' s",
    "na\u00efve", "fa\u00e7ade", "Stra\u00dfe", "\u0130stanbul", "\u00c5ngstr\u00f6m", "\u01c5", "\u02bc",
    "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3067\u3059\u3002", "\u4e2d\u6587\uff0c\u6d4b\u8bd5\uff01", "\ud55c\uad6d\uc5b4 \ud14d\uc2a4\ud2b8",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645", "\u0664\u0665\u0666", "\u05e9\u05b8\u05dc\u05d5\u05b9\u05dd", "\u0928\u092e\u0938\u094d\u0924\u0947 \u0967\u0968\u0969", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "\U0001F600", "\U0001F468\u200d\U0001F469\u200d\U0001F467", "\U0001F1E9\U0001F1EA", "\u2764\ufe0f", "\U0001F44D\U0001F3FD", "\U0001D54F", "\u00bd", "\u2167", "x\u00b2",
    "e\u0301", "o\u0308\u0323", "a\u0300\u0301\u0302\u0303", "\u0301", "\u200b", "\ufeff", "\u00ad",
    "\u2014", "\u2026", "\u201cquoted\u201d", "\u20ac100", "\u00a7", "\u00ac", "^", "`", "~~", "|", "$", "+", "=", "<", ">", "<=>", "</", "<unk", "_", "__init__",
    "123", "1234567890", "3.14159", "1,000,000", "0x1F", "12a34b", "2024-01-31", "\u0663\u06F4", "1\u00b2\u2460",
    "\u2581", "\u0120", "<0x41>", "!!!", "?!...", "(((", "a.b.c", "snake_case_name", "camelCaseName", "SCREAMING",
    "\u3042\u3044\u3046", "\u30fb\u30fb", "\u0e01\u0e33", "\u1680", "\u2003", "\u3000", "\u0085", "\u00a0", "\x0b", "\x0c", "\x1c", "\x00",
]
BLANKS = [" ", " ", " ", " ", "", "  ", "   ", "    ", "\t", "\t\t", "\n", "\n\n", " \n", "\n ", "\r\n", " \r\n \r\n", "  \n\n  ", "\u3000", "\u00a0 ", " \t "]


def read_sources(folder):
    texts = []
    for path in sorted(glob.glob(os.path.join(folder, "**", "*"), recursive=True)):
        if os.path.isfile(path) and path.endswith((".txt", ".md", ".jsonl", ".json", ".tsv", ".csv", ".py", ".c")):
            with open(path, encoding="utf-8", errors="ignore") as file:
                texts.append(file.read(200000))
    return [text for text in texts if len(text) > 100]


def make_lines(folder, count, seed):
    rng = random.Random(seed)
    sources = read_sources(folder) if folder else []
    lines = []
    while len(lines) < count:
        parts = []
        for _ in range(rng.randint(1, 14)):
            choice = rng.random()
            if sources and choice < 0.3:
                text = rng.choice(sources)
                begin = rng.randrange(len(text))
                parts.append(text[begin : begin + rng.randint(1, 120)])
            elif choice < 0.4:
                parts.append(rng.choice(CODE))
            elif choice < 0.44:
                parts.append("".join(chr(rng.choice([rng.randint(32, 0x24F), rng.randint(0x300, 0x2FFF), rng.randint(0x3000, 0xD7FF), rng.randint(0x1F300, 0x1FAFF)])) for _ in range(rng.randint(1, 8))))
            elif choice < 0.47:
                parts.append(rng.choice(" \n\ta1=-.") * rng.randint(2, 80))
            else:
                parts.append(rng.choice(WORDS))
            parts.append(rng.choice(BLANKS))
        # An end tag that some vocabularies hold as an ordinary token, and llama.cpp as an end of generation.
        lines.append("".join(parts).replace("</s>", "</t>").replace("\x00", " "))
    return lines


def peer_ids(headers, library, model, lines, special):
    """Through a small C program: llama.cpp's parameters are structs by value, whose layout only its header knows."""
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "peer.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(PEER_SOURCE)
        program = os.path.join(folder, "peer")
        here = os.path.dirname(os.path.abspath(library))
        subprocess.run(["cc", "-O1", "-I", headers, "-I", os.path.join(headers, "..", "ggml", "include"), source, "-o", program, library, "-Wl,-rpath," + here, "-Wl,-rpath-link," + here], check=True)
        data = b"".join(len(raw).to_bytes(4, "little") + raw for raw in (line.encode() for line in lines))
        out = subprocess.run([program, model, "1" if special else "0"], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    return [[int(token) for token in row.split()] for row in out.decode().split("\n")[: len(lines)]]


PEER_SOURCE = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "llama.h"

static void Quiet(enum ggml_log_level level, const char* text, void* user) { (void)level; (void)text; (void)user; }

int main(int argc, char** argv) {
  llama_log_set(Quiet, NULL);
  llama_backend_init();
  struct llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  struct llama_model* model = llama_model_load_from_file(argv[1], params);
  if (model == NULL || argc < 3) return 1;
  const struct llama_vocab* vocab = llama_model_get_vocab(model);
  uint32_t size;
  while (fread(&size, 4, 1, stdin) == 1) {
    char* text = malloc(size + 1);
    if (fread(text, 1, size, stdin) != size) return 1;
    int32_t capacity = (int32_t)size * 4 + 64;
    llama_token* tokens = malloc(sizeof(llama_token) * (size_t)capacity);
    const int32_t count = llama_tokenize(vocab, text, (int32_t)size, tokens, capacity, false, argv[2][0] == '1');
    for (int32_t i = 0; i < count; ++i) printf("%d ", tokens[i]);
    printf("\n");
    free(tokens);
    free(text);
  }
  return 0;
}
"""


def our_ids(command, model, lines, special):
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(lines, file)
        file.flush()
        extra = ["--special"] if special else []
        return json.loads(subprocess.run(shlex.split(command) + ["-m", model, "-f", file.name] + extra, stdout=subprocess.PIPE, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--ours", help="our command, without -m and -f")
    parser.add_argument("--library", help="llama.cpp's shared library")
    parser.add_argument("--headers", help="the folder of llama.h")
    parser.add_argument("--text", help="a folder of texts to mix in")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--special", action="store_true", help="parse special tokens on both sides")
    parser.add_argument("--lines", help="write the lines to this file and stop")
    args = parser.parse_args()
    lines = make_lines(args.text, args.count, args.seed)
    if args.lines:
        with open(args.lines, "w", encoding="utf-8") as file:
            json.dump(lines, file)
        return 0
    failed = False
    for model in args.models:
        ours = our_ids(args.ours, model, lines, args.special)
        theirs = peer_ids(args.headers, args.library, model, lines, args.special)
        different = [i for i in range(len(lines)) if ours[i] != theirs[i]]
        total = sum(len(ids) for ids in theirs)
        print(f"{os.path.basename(model)}: {len(lines)} lines, {total} tokens, {len(different)} lines differ")
        for i in different[:5]:
            at = next((k for k, pair in enumerate(zip(ours[i], theirs[i])) if pair[0] != pair[1]), min(len(ours[i]), len(theirs[i])))
            print(f"  line {i}: {lines[i]!r}\n    at {at}: ours {ours[i][at:at+8]}, theirs {theirs[i][at:at+8]}")
        failed = failed or bool(different)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
