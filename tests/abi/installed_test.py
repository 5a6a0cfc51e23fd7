#!/usr/bin/env python3
"""The installed library is all that a program needs: the chat sample, built against it with find_package, answers."""
import argparse
import pathlib
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--cmake", required=True)
parser.add_argument("--build", required=True, help="the build folder to install from")
parser.add_argument("--sample", required=True, help="main.c of the chat sample")
parser.add_argument("--model", required=True)
arguments = parser.parse_args()


def run(*command, **options):
    result = subprocess.run([str(word) for word in command], capture_output=True, **options)
    if result.returncode != 0:
        sys.exit(f"{command} failed with {result.returncode}:\n{(result.stdout + result.stderr).decode()[-2000:]}")
    return result.stdout


# Every installed header in one program, each function from the installed library.
HEADERS = """
#include <specinfer.hpp>
#include <specinfer/speculation.h>
int main() {
  specinfer_speculation_statistics statistics = SPECINFER_SPECULATION_STATISTICS_INIT;
  return specinfer_session_get_speculation_statistics(nullptr, &statistics) == SPECINFER_INVALID_ARGUMENT ? 0 : 1;
}
"""

with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    run(arguments.cmake, "--install", arguments.build, "--prefix", folder / "installed")
    (folder / "main.c").write_bytes(pathlib.Path(arguments.sample).read_bytes())
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\n"
        "project(answer C CXX)\n"
        "find_package(specinfer REQUIRED)\n"
        "add_executable(answer main.c)\n"
        "target_link_libraries(answer PRIVATE specinfer::specinfer)\n"
        "add_executable(headers headers.cc)\n"
        "target_compile_features(headers PRIVATE cxx_std_17)\n"
        "target_link_libraries(headers PRIVATE specinfer::specinfer)\n")
    (folder / "headers.cc").write_text(HEADERS)
    run(arguments.cmake, "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={folder / 'installed'}")
    run(arguments.cmake, "--build", folder / "build")
    answer = run(folder / "build" / "answer", arguments.model, input=b"Hello\n", timeout=60)
    run(folder / "build" / "headers")
    if not answer.strip():
        sys.exit("the sample said nothing")
print("the installed library answers")
