// The quantised types of GGUF read element by element, straight from a file's
// bytes: the oracle of packing.
#ifndef SPECINFER_BACKENDS_CPU_REFERENCE_DEQUANTIZE_H_
#define SPECINFER_BACKENDS_CPU_REFERENCE_DEQUANTIZE_H_

#include <cstdint>

#include "src/backend/tensor.h"

namespace specinfer::cpu {

// 32 weights of a row: weights[i] · scale · sub_scales[i / 16] + minimum ·
// sub_minima[i / 16]. Types without sub-scales have ones; minimum is negative
// where the type subtracts it.
struct QuantizedBlock {
  int weights[32];
  float scale;
  float minimum;
  int sub_scales[2];
  int sub_minima[2];
};

// Reads inputs [32 · index, 32 · index + 32) of a row.
// REQUIRES: a quantised type.
QuantizedBlock ReadQuantizedBlock(DType dtype, const uint8_t* row,
                                  int64_t index);

// The values of one row, with the roundings of single precision: scale ·
// sub_scale, · weight, + minimum · sub_minimum.
void DequantizeRow(DType dtype, const uint8_t* row, int64_t inputs, float* out);

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_REFERENCE_DEQUANTIZE_H_
