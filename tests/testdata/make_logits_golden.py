#!/usr/bin/env python3
"""Writes what the tiny models must answer: logits of one prompt, in double precision and independent of src/.

Writes logits/<model>.bin (float32, [last 4 positions, vocabulary]) and logits/prompt.json (the token ids) beside it.
With paths of GGUF files as arguments it writes nothing and prints each model's logits' first values instead.
Needs numpy and gguf.
"""
import json
import pathlib
import sys

import gguf
import numpy

FOLDER = pathlib.Path(__file__).resolve().parent
NUM_TOKENS, NUM_KEPT = 24, 4


class Model:
    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        self.fields = {name: field.contents() for name, field in reader.fields.items()
                       if not name.startswith("tokenizer.")}
        self.architecture = self.fields["general.architecture"]
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        self.cache = {}

    def key(self, name, absent=None):
        return self.fields.get(f"{self.architecture}.{name}", absent)

    def has(self, name):
        return name in self.tensors

    def weight(self, name):
        if name not in self.cache:
            tensor = self.tensors[name]
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float64)
            self.cache[name] = values.reshape(tuple(reversed(tensor.shape.tolist())))
        return self.cache[name]

    def linear(self, name, x):
        y = x @ self.weight(f"{name}.weight").T
        return y + self.weight(f"{name}.bias") if self.has(f"{name}.bias") else y


def rms_norm(x, weight, epsilon):
    return x / numpy.sqrt(numpy.mean(x * x, axis=-1, keepdims=True) + epsilon) * weight


def yarn_frequencies(frequencies, dims, base, factor, original_context, beta_fast, beta_slow):
    """Peng et al. 2023, eq. 23: short waves stay, long ones are stretched, between them a ramp over the pairs."""
    def pair_of(turns):
        return dims * numpy.log(original_context / (turns * 2 * numpy.pi)) / (2 * numpy.log(base))
    low = max(numpy.floor(pair_of(beta_fast)), 0)
    high = min(numpy.ceil(pair_of(beta_slow)), dims - 1)
    stretched = numpy.clip((numpy.arange(dims // 2) - low) / max(high - low, 0.001), 0, 1)
    return frequencies / factor * stretched + frequencies * (1 - stretched)


def frequencies_of(model, dims, is_local):
    """Angles per position of each pair, and the factor on the turned vectors."""
    base = model.key("rope.freq_base", 10000.0)
    if is_local:
        base = model.key("rope.freq_base_swa", 10000.0)
    frequencies = float(base) ** (-2 * numpy.arange(dims // 2) / dims)
    if model.has("rope_freqs.weight"):
        frequencies = frequencies / model.weight("rope_freqs.weight")
    kind = "none" if is_local else model.key("rope.scaling.type", "none")
    factor = float(model.key("rope.scaling.factor", 1.0))
    if kind == "linear":
        return frequencies / factor, 1.0
    if kind == "yarn":
        frequencies = yarn_frequencies(
            frequencies, dims, float(base), factor, model.key("rope.scaling.original_context_length"),
            model.key("rope.scaling.yarn_beta_fast", 32.0), model.key("rope.scaling.yarn_beta_slow", 1.0))
        return frequencies, 1 + 0.1 * numpy.log(factor)
    return frequencies, 1.0


def rotate(x, frequencies, magnitude, in_halves):
    """x: [positions, heads, head_dim]."""
    dims = 2 * len(frequencies)
    angles = numpy.arange(len(x))[:, None, None] * frequencies
    cosine, sine = numpy.cos(angles) * magnitude, numpy.sin(angles) * magnitude
    first, second = ((slice(0, dims // 2), slice(dims // 2, dims)) if in_halves
                     else (slice(0, dims, 2), slice(1, dims, 2)))
    turned = x.copy()
    turned[..., first] = x[..., first] * cosine - x[..., second] * sine
    turned[..., second] = x[..., first] * sine + x[..., second] * cosine
    return turned


def attention(model, layer, x, window, is_local, epsilon):
    heads, kv_heads = model.key("attention.head_count"), model.key("attention.head_count_kv")
    head_dim = model.key("attention.key_length", x.shape[1] // heads)
    name = f"blk.{layer}.attn_"
    query = model.linear(name + "q", x).reshape(len(x), heads, head_dim)
    key = model.linear(name + "k", x).reshape(len(x), kv_heads, head_dim)
    value = model.linear(name + "v", x).reshape(len(x), kv_heads, head_dim)
    if model.has(name + "q_norm.weight"):
        query = rms_norm(query, model.weight(name + "q_norm.weight"), epsilon)
        key = rms_norm(key, model.weight(name + "k_norm.weight"), epsilon)
    frequencies, magnitude = frequencies_of(model, model.key("rope.dimension_count", head_dim), is_local)
    in_halves = model.architecture != "llama"
    query, key = (rotate(part, frequencies, magnitude, in_halves) for part in (query, key))
    key, value = (numpy.repeat(part, heads // kv_heads, axis=1) for part in (key, value))
    scores = numpy.einsum("qhd,khd->hqk", query, key) / numpy.sqrt(head_dim)
    distance = numpy.arange(len(x))[:, None] - numpy.arange(len(x))[None, :]
    hidden = (distance < 0) | (distance >= window if window else False)
    scores[:, hidden] = -numpy.inf
    scores = numpy.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    mixed = numpy.einsum("hqk,khd->qhd", scores, value).reshape(len(x), heads * head_dim)
    return model.linear(name + "output", mixed)


def activate(model, gate):
    if model.architecture == "gemma3":
        return 0.5 * gate * (1 + numpy.tanh(numpy.sqrt(2 / numpy.pi) * (gate + 0.044715 * gate ** 3)))
    return gate / (1 + numpy.exp(-gate))


def logits_of(model, tokens):
    epsilon = model.key("attention.layer_norm_rms_epsilon")
    is_gemma = model.architecture == "gemma3"
    x = model.weight("token_embd.weight")[tokens]
    if is_gemma:
        x = x * numpy.sqrt(x.shape[1])
    for layer in range(model.key("block_count")):
        name = f"blk.{layer}."
        is_local = is_gemma and layer % 6 < 5
        window = model.key("attention.sliding_window") if is_local else 0
        y = rms_norm(x, model.weight(name + "attn_norm.weight"), epsilon)
        y = attention(model, layer, y, window, is_local, epsilon)
        if is_gemma:
            y = rms_norm(y, model.weight(name + "post_attention_norm.weight"), epsilon)
        x = x + y
        y = rms_norm(x, model.weight(name + "ffn_norm.weight"), epsilon)
        y = activate(model, model.linear(name + "ffn_gate", y)) * model.linear(name + "ffn_up", y)
        y = model.linear(name + "ffn_down", y)
        if is_gemma:
            y = rms_norm(y, model.weight(name + "post_ffw_norm.weight"), epsilon)
        x = x + y
    x = rms_norm(x, model.weight("output_norm.weight"), epsilon)
    return model.linear("output" if model.has("output.weight") else "token_embd", x)


def prompt():
    return numpy.random.default_rng(24).integers(6, 384, NUM_TOKENS).tolist()


def main():
    if len(sys.argv) > 1:
        for path in sys.argv[1:]:
            logits = logits_of(Model(path), prompt())[-NUM_KEPT:]
            print(path, " ".join(f"{value:.5f}" for value in logits[-1][:8]), "deviation", f"{logits.std():.3f}")
        return
    folder = FOLDER / "logits"
    folder.mkdir(exist_ok=True)
    (folder / "prompt.json").write_text(json.dumps(prompt()) + "\n")
    for path in sorted(FOLDER.glob("tiny-*.gguf")):
        logits = logits_of(Model(path), prompt())[-NUM_KEPT:]
        (folder / f"{path.stem}.bin").write_bytes(logits.astype(numpy.float32).tobytes())


if __name__ == "__main__":
    main()
