#!/usr/bin/env python3
"""Writes voice_activity.json: what the published Silero VAD says of recordings, and the speech it finds in them.

usage: make_voice_activity_golden.py DATA PACKAGE
    DATA: a folder with clips/*.wav and vad/test.wav; PACKAGE: the unpacked package silero-vad (6.2), torch not needed
The package's safetensors file, which is what src/ reads, holds other weights than its ONNX files: here they are put into
the published graph. Probabilities are millionths. Needs numpy, onnx, onnxruntime and safetensors.
"""
import json
import pathlib
import sys
import types
import wave
from unittest import mock

import numpy
import onnx
import onnxruntime
import safetensors.numpy

FOLDER = pathlib.Path(__file__).resolve().parent
# Options of get_speech_timestamps_from_probs, in the units of the package.
OPTIONS = {
    "defaults": {},
    "long silences": {"min_silence_duration_ms": 500, "speech_pad_ms": 200, "min_speech_duration_ms": 0},
    "short speech": {"max_speech_duration_s": 4},
    "shortest speech": {"max_speech_duration_s": 1, "min_silence_duration_ms": 300},
    "longest silence": {"max_speech_duration_s": 5, "min_silence_duration_ms": 1000},
    "whole chunks": {"min_silence_duration_ms": 320, "min_speech_duration_ms": 320, "max_speech_duration_s": 3.2},
    "strict": {"threshold": 0.9, "neg_threshold": 0.6, "speech_pad_ms": 0},
}


def silero_functions(package):
    torch = mock.MagicMock()
    torch.no_grad = lambda: lambda function: function
    sys.modules["torch"] = torch
    module = types.ModuleType("utils_vad")
    exec((pathlib.Path(package) / "silero_vad/utils_vad.py").read_text(), module.__dict__)
    return module


def made_up(count):
    """Probabilities in runs of a linear congruential generator."""
    state, found = 7, []
    while len(found) < count:
        state = (state * 1664525 + 1013904223) % 2**32
        found += [(0.05, 0.3, 0.42, 0.7, 0.97)[(state >> 8) % 5]] * (1 + (state >> 16) % 13)
    return found[:count]


def published_graph(folder):
    """The graph of the ONNX file with the weights of the safetensors file."""
    names = {"model.stft.forward_basis_buffer": "stft_conv.weight", "model.decoder.decoder.2.weight": "final_conv.weight",
             "model.decoder.decoder.2.bias": "final_conv.bias"}
    for layer in range(4):
        for kind in ("weight", "bias"):
            names[f"model.encoder.{layer}.reparam_conv.{kind}"] = f"conv{layer + 1}.{kind}"
    for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        names[f"model.decoder.rnn.{kind}"] = f"lstm_cell.{kind}"
    weights = safetensors.numpy.load_file(folder / "silero_vad_16k.safetensors")
    model = onnx.load(folder / "silero_vad_16k_op15.onnx")
    for tensor in model.graph.initializer:
        if tensor.name in names:
            weight = weights.pop(names[tensor.name])
            assert list(tensor.dims) == list(weight.shape), tensor.name
            tensor.CopyFrom(onnx.numpy_helper.from_array(weight, tensor.name))
    assert not weights, weights.keys()
    return model.SerializeToString()


def read(path):
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
        return (numpy.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768).astype(numpy.float32)


def probabilities(session, samples):
    samples = numpy.pad(samples, (0, -len(samples) % 512))
    state, context, found = numpy.zeros((2, 1, 128), numpy.float32), numpy.zeros((1, 64), numpy.float32), []
    for begin in range(0, len(samples), 512):
        heard = numpy.concatenate([context, samples[None, begin:begin + 512]], axis=1)
        out, state = session.run(None, {"input": heard, "state": state, "sr": numpy.array(16000)})
        context = heard[:, -64:]
        found.append(float(out[0, 0]))
    return found


def main():
    data, package = map(pathlib.Path, sys.argv[1:])
    silero = silero_functions(package)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(published_graph(package / "silero_vad/data"), options,
                                           providers=["CPUExecutionProvider"])
    names = sorted(str(path.relative_to(data)) for path in data.glob("clips/*.wav"))
    signals = {name: read(data / name) for name in ["vad/test.wav"] + names}
    signals["clips joined"] = numpy.concatenate([signals[name] for name in names])
    cases = []
    sounds = [(name, len(samples), probabilities(session, samples)) for name, samples in signals.items()]
    for name, num_samples, found in sounds + [("none", 2000 * 512 - 100, made_up(2000))]:
        segments = {}
        for label, options in OPTIONS.items():
            speeches = silero.get_speech_timestamps_from_probs(found, audio_length_samples=num_samples, **options)
            segments[label] = [[speech["start"], speech["end"]] for speech in speeches]
        cases.append({"signal": name, "num_samples": num_samples,
                      "probabilities": [round(p * 1e6) for p in found], "segments": segments})
        print(name, len(found), {label: len(list_) for label, list_ in segments.items()})
    (FOLDER / "voice_activity.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


main()
