#!/usr/bin/env python3
"""Computes the expected values in speech/ again, from the inputs that stand beside them, by the outside implementations they
are compared with. The same files come out, unless those implementations changed.

    make_speech_golden.py [--whisper FOLDER] [--model FOLDER --clips FOLDER]

Needs numpy and faster-whisper 1.2.1. --whisper: a checkout of openai/whisper, for english_normalizer.json, which is left as
it is without. --model and --clips: whisper-base in CTranslate2 and the folder of recordings, for word_starts.json, which is
left as it is without. Inputs: made up at random, but for a few dozen sentences. word_times_clips.json, which this leaves as it is, has
alignments of public recordings by whisper-base in CTranslate2, and faster-whisper's word times of them.
"""
import argparse
import copy
import json
import pathlib
import sys
import types

import faster_whisper.transcribe as transcribe
import numpy as np
from faster_whisper.tokenizer import Tokenizer

FOLDER = pathlib.Path(__file__).parent / "speech"
# Of tests/speech/tiny_speech_vocabulary.h.
END_OF_TEXT, TIMESTAMP_BEGIN = 256, 267
WhisperModel = transcribe.WhisperModel


def split_lines(name):
    """The inputs of each line: the numbers before its bar."""
    for line in (FOLDER / name).read_text().splitlines():
        yield line.split(" | ")[0].split()


def align(line):
    """openai/whisper, timing.py, by definition: normalise, median of seven, mean, the cheapest path."""
    heads, rows, frames, start = map(int, line[:4])
    weights = np.array(line[4:], float).reshape(heads, rows, frames)
    weights /= weights.sum(-1, keepdims=True)
    weights = (weights - weights.mean(-2, keepdims=True)) / weights.std(-2, keepdims=True)
    if frames > 3:
        padded = np.pad(weights, [(0, 0), (0, 0), (3, 3)], mode="reflect")
        weights = np.median(np.lib.stride_tricks.sliding_window_view(padded, 7, axis=-1), axis=-1)
    costs = -weights.mean(0)[start:-1]
    total = np.full((costs.shape[0] + 1, costs.shape[1] + 1), np.inf, np.float32)
    steps = np.zeros(total.shape, int)
    total[0, 0] = 0
    for j in range(1, total.shape[1]):
        for i in range(1, total.shape[0]):
            both, down, right = total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]
            step = 0 if both < down and both < right else 1 if down < both and down < right else 2
            total[i, j] = costs[i - 1, j - 1] + (both, down, right)[step]
            steps[i, j] = step
    steps[0, :], steps[:, 0] = 2, 1
    i, j = costs.shape
    first_frames = {}
    while i > 0 or j > 0:
        first_frames[i - 1] = j - 1
        i, j = (i - 1, j - 1) if steps[i, j] == 0 else (i - 1, j) if steps[i, j] == 1 else (i, j - 1)
    return " ".join(str(first_frames[row]) for row in range(costs.shape[0]))


def fall_back(line):
    """How many tries, which is taken, at what temperature, whether it is silence, whether it resets the prompt."""
    tries = np.array(line, float).reshape(-1, 3)  # average log-probability, compression ratio, no speech
    asked = []

    def generate(*_, **__):
        i = len(asked)
        asked.append(i)
        return [types.SimpleNamespace(sequences_ids=[[1, 2, 3]], scores=[tries[i][0] * 4 / 3], no_speech_prob=tries[i][2],
                                      index=i)]

    transcribe.get_compression_ratio = lambda _: tries[asked[-1]][1]
    options = types.SimpleNamespace(
        max_initial_timestamp=1.0, max_new_tokens=None, temperatures=[0.0, 0.2, 0.4, 0.6, 0.8, 1.0], best_of=5, beam_size=1,
        patience=1, length_penalty=1, repetition_penalty=1, no_repeat_ngram_size=0, suppress_blank=True, suppress_tokens=[],
        compression_ratio_threshold=2.4, log_prob_threshold=-1.0, no_speech_threshold=0.6)
    model = types.SimpleNamespace(time_precision=0.02, max_length=448, logger=transcribe.get_logger(),
                                  model=types.SimpleNamespace(generate=generate))
    tokenizer = types.SimpleNamespace(decode=lambda _: "x")
    result, _, temperature, _ = WhisperModel.generate_with_fallback(model, None, [1], tokenizer, options)
    is_silence = result.no_speech_prob > 0.6 and not tries[result.index][0] > -1.0
    return f"{len(asked)} {result.index} {temperature:g} {int(is_silence)} {int(temperature > 0.5)}"


def split_window(line):
    """Where the next window begins, whether one timestamp ends this one; of each segment times and number of tokens."""
    first, count, *tokens = map(int, line)
    model = types.SimpleNamespace(time_precision=0.02, input_stride=2)
    tokenizer = types.SimpleNamespace(timestamp_begin=TIMESTAMP_BEGIN)
    segments, seek, is_single = WhisperModel._split_segments_by_timestamps(
        model, tokenizer, tokens, first * 0.01, count, count * 0.01, first)
    return f"{seek} {int(is_single)} " + " ".join(
        f"{segment['start']:.4f} {segment['end']:.4f} {len(segment['tokens'])}" for segment in segments)


class BytesTokenizer(Tokenizer):
    """Tokens are bytes."""
    sot_sequence = [257]

    def __init__(self, language):
        self.tokenizer = types.SimpleNamespace(
            decode=lambda ids: bytes(i for i in ids if i < 256).decode("utf-8", "replace"),
            token_to_id={"<|endoftext|>": END_OF_TEXT, "<|notimestamps|>": TIMESTAMP_BEGIN - 1}.get)
        self.task = self.language = None
        self.language_code = language


def time_words(case, tokenizer):
    """`case` with what find_alignment and add_word_timestamps make of its alignment."""
    positions = case["positions"]
    ends = positions[1:] + [positions[-1] + 3]
    path = [(row, frame) for row, (begin, end) in enumerate(zip(positions, ends)) for frame in range(begin, max(begin + 1, end))]
    alignment = types.SimpleNamespace(text_token_probs=case["probabilities"], alignments=path)
    model = types.SimpleNamespace(tokens_per_second=50, frames_per_second=100,
                                  model=types.SimpleNamespace(align=lambda *_, **__: [alignment]))
    model.find_alignment = lambda *arguments: WhisperModel.find_alignment(model, *arguments)
    segments = [dict(copy.deepcopy(segment), seek=round(case["start"] * 100)) for segment in case["segments"]]
    end = WhisperModel.add_word_timestamps(model, [segments], tokenizer, None, 3000, "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、",
                                           case["last"])
    result = [{"start": float(segment["start"]), "end": float(segment["end"]),
               "words": [[word["word"], *(round(float(word[key]), 5) for key in ("start", "end", "probability"))]
                         for word in segment["words"]]} for segment in segments]
    return dict(case, end=end, result=result)


def find_word_starts(model, path):
    """When faster-whisper hears each word of a recording begin."""
    segments, _ = model.transcribe(str(path), beam_size=1, temperature=0, word_timestamps=True, language="en",
                                   condition_on_previous_text=False)
    words = [[word.word, round(float(word.start), 2)] for segment in segments for word in segment.words]
    return {"clip": path.name, "words": words}


def write_cases(name, cases):
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases)
    (FOLDER / name).write_text(f"[\n{lines}\n]\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whisper", type=pathlib.Path, help="a checkout of openai/whisper")
    parser.add_argument("--model", type=pathlib.Path, help="whisper-base in CTranslate2")
    parser.add_argument("--clips", type=pathlib.Path, help="the folder of the recordings of word_starts.json")
    arguments = parser.parse_args()
    for name, expect in (("alignment.txt", align), ("fallback.txt", fall_back), ("window_segments.txt", split_window)):
        lines = [f"{' '.join(line)} | {expect(line)}" for line in split_lines(name)]
        (FOLDER / name).write_text("\n".join(lines) + "\n")
    cases = json.loads((FOLDER / "word_times.json").read_text())
    write_cases("word_times.json", [time_words(case, BytesTokenizer(case["language"])) for case in cases])
    if arguments.model and arguments.clips:
        model = WhisperModel(str(arguments.model), device="cpu", compute_type="float32")
        clips = [case["clip"] for case in json.loads((FOLDER / "word_starts.json").read_text())]
        write_cases("word_starts.json", [find_word_starts(model, arguments.clips / clip) for clip in clips])
    if arguments.whisper:
        sys.path.insert(0, str(arguments.whisper / "whisper"))
        from normalizers import EnglishTextNormalizer
        normalize = EnglishTextNormalizer()
        pairs = json.loads((FOLDER / "english_normalizer.json").read_text())
        lines = ",\n".join(json.dumps([text, normalize(text)], ensure_ascii=False) for text, _ in pairs)
        (FOLDER / "english_normalizer.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
