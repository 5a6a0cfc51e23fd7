#!/usr/bin/env python3
"""Writes log_mel.json: frames of Whisper's front end, in double precision and independent of src/.

usage: make_log_mel_golden.py CLIPS      CLIPS: a folder with jfk.wav (16 kHz, 16 bits, mono)
Checks its own arithmetic against faster_whisper.feature_extractor. Needs numpy and faster-whisper.
"""
import json
import pathlib
import sys
import wave

import numpy
from faster_whisper.feature_extractor import FeatureExtractor

FOLDER = pathlib.Path(__file__).resolve().parent
FRAMES = [0, 1, 2, 7, 50, 137, 299, 611, 999, 1097, 1098, 1099, 1100, 1101, 2000, 2997, 2998, 2999]
NUM_SAMPLES = 480000


def noise(count, scale):
    """Of a 32-bit linear congruential generator, equal in any language."""
    state, values = 1, numpy.empty(count)
    for i in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        values[i] = ((state >> 8) / 2**24 - 0.5) * scale
    return values


def square(count):
    """A square wave of 125 Hz that grows by steps of a second."""
    i = numpy.arange(count)
    return numpy.where(i // 64 % 2 == 0, 1.0, -1.0) * (1 + i // 16000) / 64


def clip(folder, name):
    with wave.open(str(pathlib.Path(folder) / name)) as file:
        return numpy.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def log_mel(samples, num_mels):
    padded = numpy.zeros(NUM_SAMPLES)
    padded[:len(samples)] = samples
    signal = numpy.pad(padded, 200, mode="reflect")
    window = 0.5 - 0.5 * numpy.cos(2 * numpy.pi * numpy.arange(400) / 400)
    frames = numpy.stack([signal[160 * t:160 * t + 400] for t in range(NUM_SAMPLES // 160)])
    power = numpy.abs(numpy.fft.rfft(frames * window)) ** 2
    log = numpy.log10(numpy.maximum(power @ FeatureExtractor.get_mel_filters(16000, 400, num_mels).T, 1e-10))
    return (numpy.maximum(log, log.max() - 8) + 4) / 4


def main():
    signals = {"jfk.wav": clip(sys.argv[1], "jfk.wav"), "noise": noise(NUM_SAMPLES, 1.0),
               "quiet noise": noise(40000, 2.0**-10), "square": square(176000)}
    cases = []
    for name, samples in signals.items():
        samples = samples.astype(numpy.float32).astype(numpy.float64)
        for num_mels in (80, 128):
            frames = log_mel(samples, num_mels)
            padded = numpy.zeros(NUM_SAMPLES, numpy.float32)
            padded[:len(samples)] = samples
            other = FeatureExtractor(num_mels)(padded, padding=0).T
            print(f"{name} {num_mels}: faster-whisper differs by at most {numpy.abs(frames - other).max():.2e}")
            assert frames.shape == other.shape and numpy.abs(frames - other).max() < 2e-3
            bands = range(0, num_mels, 9)
            cases.append({"signal": name, "num_mels": num_mels, "mean": round(float(frames.mean()), 7),
                          "frames": FRAMES, "mels": list(bands),
                          "values": [[round(float(frames[t, m]), 6) for m in bands] for t in FRAMES]})
    rows = numpy.concatenate([FeatureExtractor.get_mel_filters(16000, 400, m).sum(axis=1) for m in (80, 128)])
    golden = {"mel_row_sums": [round(float(x), 9) for x in rows], "cases": cases}
    (FOLDER / "log_mel.json").write_text(json.dumps(golden) + "\n")


main()
