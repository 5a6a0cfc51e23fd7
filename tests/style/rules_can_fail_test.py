"""Each rule passes on a small good tree and fails on the same tree with one breach."""
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
GOOD = {
    "src/layers.txt": "base:\nmodel: base\n",
    "src/base/half.h": "// Half.\n#ifndef SPECINFER_SRC_BASE_HALF_H_\n#define SPECINFER_SRC_BASE_HALF_H_\n"
                       "namespace specinfer {\nint Half();\n}  // namespace specinfer\n"
                       "#endif  // SPECINFER_SRC_BASE_HALF_H_\n",
    "src/base/half.cc": '#include "src/base/half.h"\n// never calls abort() or printf()\n'
                        "namespace specinfer {\nnamespace {\nusing Kernel = int(int);\nKernel DoThis, DoThat;\nconstexpr int kTable[] = {1, 2};\n"
                        'const char* const kName = "exit(1)";\n}  // namespace\n'
                        "int Half() {\n  static constexpr int kTwo = 2;\n  int count = kTable[1];\n"
                        "  return count / kTwo + (kName != nullptr);\n}\n"
                        "struct Pair { int first = 0; };\n}  // namespace specinfer\n",
    "src/model/file.cc": '#include "src/base/half.h"\nint Use() { return specinfer::Half(); }\n',
    "backends/cpu/add.cc": '#include "src/base/half.h"\nint Add() { return specinfer::Half(); }\n',
}
# rule, file, text appended to it
BREACHES = [
    ("layering", "src/base/half.cc", '#include "src/model/file.h"\n'),
    ("layering", "src/model/file.cc", '#include "backends/cpu/add.h"\n'),
    ("layering", "backends/cpu/add.cc", '#include "src/model/file.h"\n'),
    ("layering", "src/other/file.cc", "int x();\n"),
    ("layering", "src/layers.txt", "text: forward\n"),
    ("file_size", "src/base/half.cc", "\n" * 1000),
    ("forbidden_calls", "src/base/half.cc", "void End() { std::abort(); }\n"),
    ("forbidden_calls", "src/base/half.cc", "void End() { exit (1); }\n"),
    ("forbidden_calls", "backends/cpu/add.cc", 'void Say() { printf("x"); }\n'),
    ("forbidden_calls", "src/base/half.cc", 'void Say() { std::cerr << "x"; }\n'),
    ("forbidden_calls", "src/base/half.cc", 'const char* Read() { return std::getenv("x"); }\n'),
    ("forbidden_calls", "src/base/half.cc", "void Throw() { throw 1; }\n"),
    ("forbidden_calls", "src/base/half.cc", "thread_local int depth;\n"),
    ("globals", "src/base/half.cc", "int counter;\n"),
    ("globals", "src/base/half.cc", "namespace { std::atomic<int> counter{0}; }\n"),
    ("globals", "src/base/half.cc", "std::map<int, int> table = {{1, 2}};\n"),
    ("globals", "src/base/half.cc", 'const char* name = "x";\n'),
    ("globals", "backends/cpu/add.cc", "int Count() {\n  static int count = 0;\n  return ++count;\n}\n"),
    ("globals", "backends/cpu/add.cc", "int Count() {\n  static std::vector<int> all;\n  return all.size();\n}\n"),
    ("header_guard", "src/base/other.h", "#ifndef OTHER_H\n#define OTHER_H\n#endif\n"),
    ("header_guard", "src/base/other.h", "#pragma once\n"),
]


def passes(rule, tree):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in tree.items():
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        result = subprocess.run([sys.executable, "-B", HERE / f"{rule}_test.py", folder], capture_output=True, text=True)
        if "Traceback" in result.stderr:
            sys.exit(result.stderr)
        return result.returncode == 0, result.stdout


def main():
    num_wrong = 0
    for rule in sorted({rule for rule, _, _ in BREACHES}):
        ok, output = passes(rule, GOOD)
        if not ok:
            print(f"{rule} fails on a good tree:\n{output}")
            num_wrong += 1
    for rule, name, text in BREACHES:
        if passes(rule, {**GOOD, name: GOOD.get(name, "") + text})[0]:
            print(f"{rule} passes though {name} has: {text.strip()}")
            num_wrong += 1
    print(f"{len(BREACHES)} breaches, {num_wrong} wrong")
    sys.exit(1 if num_wrong else 0)


main()
