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


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    run(arguments.cmake, "--install", arguments.build, "--prefix", folder / "installed")
    (folder / "main.c").write_bytes(pathlib.Path(arguments.sample).read_bytes())
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\n"
        "project(answer C)\n"
        "find_package(specinfer REQUIRED)\n"
        "add_executable(answer main.c)\n"
        "target_link_libraries(answer PRIVATE specinfer::specinfer)\n")
    run(arguments.cmake, "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={folder / 'installed'}")
    run(arguments.cmake, "--build", folder / "build")
    answer = run(folder / "build" / "answer", arguments.model, input=b"Hello\n", timeout=60)
    if not answer.strip():
        sys.exit("the sample said nothing")
print("the installed library answers")
