// The canonical sequence of operations of a linear layer, one output at a time,
// from the file's own rows.
#include <cmath>

#include "backends/cpu/kernels/linear_kernel.h"
#include "backends/cpu/reference/dequantize.h"

namespace specinfer::cpu {
namespace {

// Σ codes · weights over inputs [first, last) of a block.
int32_t Dot(const QuantizedBlock& w, const ActivationBlock& x, int first,
            int last) {
  int32_t sum = 0;
  for (int i = first; i < last; ++i) sum += w.weights[i] * x.codes[i];
  return sum;
}

int32_t Sum(const ActivationBlock& x, int first, int last) {
  int32_t sum = 0;
  for (int i = first; i < last; ++i) sum += x.codes[i];
  return sum;
}

float AddBlock(float acc, const PackedLayout& layout, const QuantizedBlock& w,
               const ActivationBlock& x) {
  if (layout.sub_scales == 2) {
    const int32_t dot = w.sub_scales[0] * Dot(w, x, 0, 16) +
                        w.sub_scales[1] * Dot(w, x, 16, 32);
    acc = std::fmaf(w.scale * x.scale, static_cast<float>(dot), acc);
    if (!layout.has_minima) return acc;
    const int32_t sum =
        w.sub_minima[0] * Sum(x, 0, 16) + w.sub_minima[1] * Sum(x, 16, 32);
    return std::fmaf(w.minimum, x.scale * static_cast<float>(sum), acc);
  }
  const float scale = w.scale * static_cast<float>(w.sub_scales[0]);
  acc = std::fmaf(scale * x.scale, static_cast<float>(Dot(w, x, 0, 32)), acc);
  if (!layout.has_minima) return acc;
  const float minimum = w.minimum * static_cast<float>(w.sub_minima[0]);
  return std::fmaf(minimum, x.scale * static_cast<float>(Sum(x, 0, 32)), acc);
}

float QuantizedOutput(const PackedWeight& weight, int64_t output,
                      const ActivationBlock* x, int64_t stride) {
  float acc = 0.0f;
  for (int64_t b = 0; b < weight.inputs / 32; ++b) {
    acc = AddBlock(acc, *weight.layout,
                   ReadQuantizedBlock(weight.dtype, weight.row(output), b),
                   x[b * stride]);
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
      const float value =
          weight.layout->is_float()
              ? FloatOutput(weight, output, tile.floats + row * weight.inputs)
              : QuantizedOutput(
                    weight, output,
                    tile.blocks + PanelOffset(weight.inputs / 32, row),
                    PanelStride(tile.num_rows, row));
      tile.out[row * tile.out_stride + o] =
          tile.bias != nullptr ? value + tile.bias[o] : value;
    }
  }
}

}  // namespace specinfer::cpu
