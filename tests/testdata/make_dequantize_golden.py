#!/usr/bin/env python3
"""Writes dequantize_golden.bin: random blocks of every weight type and what the gguf package makes of them.

Needs numpy and gguf. Records: dtype, outputs, inputs, number of raw bytes (uint32 each), raw bytes, float32 values.
"""
import pathlib

import gguf
import numpy as np

HALVES = {"Q4_1": [0, 2], "Q5_1": [0, 2], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q2_K": [80, 82], "Q3_K": [108],
          "Q6_K": [208]}
TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
         "IQ4_NL", "IQ4_XS"]


def random_rows(random, kind, name, outputs, inputs):
    block_elements, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    values = random.uniform(-1, 1, (outputs, inputs)).astype(np.float32)
    if name == "F32":
        return values.view(np.uint8)
    if name == "F16":
        return values.astype(np.float16).view(np.uint8)
    if name == "BF16":
        return (values.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    rows = random.integers(0, 256, (outputs, inputs // block_elements, block_bytes), dtype=np.uint8)
    for offset in HALVES.get(name, [0]):
        halves = random.uniform(-0.1, 0.1, rows.shape[:2]).astype(np.float16)
        rows[:, :, offset:offset + 2] = halves.view(np.uint8).reshape(*rows.shape[:2], 2)
    return rows.reshape(outputs, -1)


def main():
    random = np.random.default_rng(1)
    with open(pathlib.Path(__file__).parent / "dequantize_golden.bin", "wb") as out:
        for name in TYPES:
            kind = gguf.GGMLQuantizationType[name]
            outputs, inputs = (3, 20) if name in ("F32", "F16", "BF16") else (2, 256)
            raw = np.ascontiguousarray(random_rows(random, kind, name, outputs, inputs))
            values = gguf.quants.dequantize(raw, kind).astype(np.float32).reshape(outputs, inputs)
            out.write(np.array([kind.value, outputs, inputs, raw.size], dtype=np.uint32).tobytes())
            out.write(raw.tobytes())
            out.write(values.tobytes())


main()
