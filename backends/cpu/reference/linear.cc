// The canonical sequence of operations of a linear layer, one output at a time,
// from the file's own rows.
#include <cmath>

#include "backends/cpu/kernels/linear_kernel.h"
#include "backends/cpu/reference/dequantize.h"

namespace specinfer::cpu {
namespace {

// Σ weight · code of the first or second 16 of a block.
int32_t Dot(const QuantizedBlock& w, const int8_t* codes, int half) {
  int32_t sum = 0;
  for (int i = 16 * half; i < 16 * half + 16; ++i)
    sum += w.weights[i] * codes[i];
  return sum;
}

int32_t Sum(const int8_t* codes) {
  int32_t sum = 0;
  for (int i = 0; i < 16; ++i) sum += codes[i];
  return sum;
}

// Types with a scale per 32 inputs.
float OutputOfBlocks(const PackedWeight& weight, int64_t output,
                     const ActivationBlock* x, int64_t stride) {
  float acc = 0.0f;
  for (int64_t b = 0; b < weight.inputs / kBlockInputs; ++b, x += stride) {
    const QuantizedBlock w =
        ReadQuantizedBlock(weight.dtype, weight.row(output), b);
    acc = std::fmaf(
        w.scale * x->scale,
        static_cast<float>(Dot(w, x->codes, 0) + Dot(w, x->codes, 1)), acc);
    if (weight.layout->has_minima)
      acc = std::fmaf(w.minimum, x->scaled_sum, acc);
  }
  return acc;
}

// Types with a scale per 256 inputs.
float OutputOfSpans(const PackedWeight& weight, int64_t output,
                    const ActivationSpan* x, int64_t stride) {
  constexpr int kBlocks = kSpanInputs / kBlockInputs;
  float acc = 0.0f;
  for (int64_t s = 0; s < NumSpans(weight.inputs); ++s, x += stride) {
    int32_t dot = 0;
    int32_t minima = 0;
    QuantizedBlock w = {};
    for (int b = 0; b < kBlocks; ++b) {
      w = ReadQuantizedBlock(weight.dtype, weight.row(output), s * kBlocks + b);
      for (int half = 0; half < 2; ++half) {
        const int8_t* codes = x->codes + b * kBlockInputs;
        dot += w.sub_scales[half] * Dot(w, codes, half);
        minima += w.sub_minima[half] * Sum(codes + 16 * half);
      }
    }
    acc = std::fmaf(w.scale * x->scale, static_cast<float>(dot), acc);
    if (weight.layout->has_minima)
      acc = std::fmaf(w.minimum, x->scale * static_cast<float>(minima), acc);
  }
  return acc;
}

float FloatOutput(const PackedWeight& weight, int64_t output, const float* x) {
  const uint8_t* row = weight.row(output);
  float acc = 0.0f;
  for (int64_t i = 0; i < weight.inputs; ++i) {
    float w;
    DequantizeRow(weight.dtype,
                  row + i * GetDTypeTraits(weight.dtype).block_bytes, 1, &w);
    acc = std::fmaf(w, x[i], acc);
  }
  return acc;
}

}  // namespace

void LinearReference(const LinearTile& tile) {
  const PackedWeight& weight = *tile.weight;
  for (int64_t row = 0; row < tile.num_rows; ++row) {
    for (int o = 0; o < NumGroupOutputs(tile); ++o) {
      const int64_t output = tile.group * kGroupOutputs + o;
      float value = 0.0f;
      const int64_t stride = PanelStride(tile.num_rows, row);
      switch (weight.layout->activations()) {
        case Activations::kFloats:
          value =
              FloatOutput(weight, output, tile.floats + row * weight.inputs);
          break;
        case Activations::kBlocks:
          value = OutputOfBlocks(weight, output, tile.BlocksOf(row), stride);
          break;
        case Activations::kSpans:
          value = OutputOfSpans(weight, output, tile.SpansOf(row), stride);
          break;
      }
      tile.out[row * tile.out_stride + o] =
          tile.bias != nullptr ? value + tile.bias[o] : value;
    }
  }
}

}  // namespace specinfer::cpu
