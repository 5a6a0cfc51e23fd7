// Weights quantised again while they are packed, to Q4_0 or Q8_K: for models
// whose values need not be those of their file.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_REQUANTIZE_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_REQUANTIZE_H_

#include <cstddef>
#include <cstdint>

#include "backends/cpu/kernels/pack.h"
#include "src/backend/backend.h"

namespace specinfer::cpu {

inline constexpr int kQ4BlockBytes = 18;  // of 32 weights: a half, 16 bytes
inline constexpr int kQ8SpanBytes = 258;  // of 256 weights: a half, int8 codes

bool CanRequantizeTo(DType dtype);

// 32 values as a block of Q4_0, scale · (code - 8), with about the least
// squared error there is. Scales are finite whatever the values: no number
// counts as zero, and what is beyond the type's range as its end. The same bits
// on every machine.
void QuantizeQ4Block(const float* values, uint8_t* block);

// `count` values, at most 256, as a span of Q8_K: scale · code, zeros behind
// them. Scales as above.
void QuantizeQ8Span(const float* values, int64_t count, uint8_t* span);

// Rows of `source`, `source_row_bytes` each, as rows of `weight`'s type.
void RequantizeRows(const WeightSource& source, size_t source_row_bytes,
                    const PackedWeight& weight, int64_t first, int64_t count,
                    uint8_t* out);

// The group of rows from 16 · group on, in `weight`'s layout.
void RequantizeGroup(const WeightSource& source, size_t source_row_bytes,
                     const PackedWeight& weight, int64_t group, uint8_t* out);

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_REQUANTIZE_H_
