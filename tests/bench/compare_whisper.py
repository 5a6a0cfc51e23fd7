#!/usr/bin/env python3
"""Whisper against faster-whisper, and whisper.cpp where a file of its format is given: seconds for all files, words that
differ and starts of words, each arm in a process of its own, in alternation. The first round warms up and is not counted.

Needs the package faster-whisper, and pywhispercpp for --ggml. Settings of all: greedy, temperature 0, English,
no voice activity; timestamps only where starts of words are compared.

example: compare_whisper.py --model whisper-base --ggml ggml-base.bin clips/*.wav
"""
import argparse
import difflib
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def words(text):
    return re.sub(r"[^a-z0-9' ]", " ", text.lower()).split()


def run_peer(arguments):
    """One round of a peer, as a process of its own: prints its seconds and texts."""
    if arguments.peer == "whisper.cpp":
        from pywhispercpp.model import Model
        model = Model(arguments.ggml, n_threads=arguments.threads, print_realtime=False, print_progress=False,
                      redirect_whispercpp_logs_to=None)

        def write_down(path):
            return [(part.text, []) for part in model.transcribe(
                path, language="en", no_timestamps=True, temperature=0.0, temperature_inc=0.0, single_segment=True)]
    else:
        from faster_whisper import WhisperModel
        model = WhisperModel(arguments.model, device="cpu", compute_type=arguments.peer, cpu_threads=arguments.threads)

        def write_down(path):
            parts, _ = model.transcribe(path, beam_size=1, temperature=0, language="en",
                                        without_timestamps=not arguments.words, word_timestamps=arguments.words,
                                        condition_on_previous_text=False)
            return [(part.text, [(word.word, word.start) for word in part.words or []]) for part in parts]
    for _ in range(2):
        begin = time.perf_counter()
        texts = {path: write_down(path) for path in arguments.files}
        seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "texts": texts}))


def peer(arguments, name, *flags):
    command = [sys.executable, __file__, "--peer", name, "--model", arguments.model, "--threads", arguments.threads,
               *flags, *(["--ggml", arguments.ggml] if arguments.ggml else []), *arguments.files]
    output = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout
    row = json.loads(output.splitlines()[-1])
    return row["seconds"], row["texts"]


def ours(arguments, *flags):
    command = [arguments.specinfer, "transcribe", "-m", arguments.model, "--threads", arguments.threads, "--language",
               "en", "--json", *flags, *arguments.files, *arguments.files]
    output = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout
    files = json.loads(output)[len(arguments.files):]
    texts = {file["file"]: [(part["text"], [(word["text"], word["start"]) for word in part.get("words", [])])
                            for part in file["segments"]] for file in files}
    return sum(file["seconds"] for file in files), texts


def plain(parts):
    return words("".join(text for text, _ in parts))


def count_errors(reference, text):
    row = list(range(len(text) + 1))
    for i, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(text, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1]


def print_words(arguments):
    _, reference = peer(arguments, "float32")
    for name, flags in (("float weights", ["--float"]), ("int8", [])):
        _, texts = ours(arguments, "--no-timestamps", *flags)
        errors = sum(count_errors(plain(reference[path]), plain(texts[path])) for path in arguments.files)
        total = sum(len(plain(reference[path])) for path in arguments.files)
        print(f"words, {name}: {errors} of {total} differ from faster-whisper float32: {100 * errors / total:.2f} %")


def print_starts(arguments):
    _, reference = peer(arguments, "float32", "--words")
    for name, flags in (("float weights", ["--float"]), ("int8", [])):
        _, texts = ours(arguments, "--words", *flags)
        apart = []
        for path in arguments.files:
            a = [word for _, part in reference[path] for word in part]
            b = [word for _, part in texts[path] for word in part]
            match = difflib.SequenceMatcher(None, [" ".join(words(word)) for word, _ in a],
                                            [" ".join(words(word)) for word, _ in b], autojunk=False)
            apart += [abs(a[block.a + i][1] - b[block.b + i][1]) for block in match.get_matching_blocks()
                      for i in range(block.size)]
        print(f"starts of words, {name}: {len(apart)} words agree, at most {max(apart):.3f} s apart, "
              f"{sum(seconds > 0.1 for seconds in apart)} more than 0.1 s")


def print_seconds(arguments):
    arms = {"specinfer int8": lambda: ours(arguments, "--no-timestamps")[0],
            "faster-whisper int8": lambda: peer(arguments, "int8")[0]}
    if arguments.ggml:
        arms["whisper.cpp"] = lambda: peer(arguments, "whisper.cpp")[0]
    seconds = {name: [] for name in arms}
    for _ in range(arguments.rounds):
        for name, measure in arms.items():
            seconds[name].append(measure())
    first = statistics.median(seconds["specinfer int8"])
    for name, values in seconds.items():
        print(f"{name}: {statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f}); "
              f"specinfer takes {first / statistics.median(values):.2f} of it")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specinfer", default=ROOT / "build/check/bin/specinfer")
    parser.add_argument("--model", required=True, help="folder of a CTranslate2 model")
    parser.add_argument("--ggml", help="the same model as whisper.cpp reads it")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--words", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    if arguments.peer:
        run_peer(arguments)
        return
    print_words(arguments)
    print_starts(arguments)
    print_seconds(arguments)


main()
