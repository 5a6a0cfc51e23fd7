// Activations as 8-bit integers: in blocks of 32 along a row for weights with a
// scale per 32 inputs, in spans of 256 for weights with a scale per 256 and
// whole numbers below it.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_QUANTIZE_KERNEL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_QUANTIZE_KERNEL_H_

#include <cstdint>

namespace specinfer::cpu {

// One cache line. Kernels start their integer sums at -offset · Σ codes, so the
// multiples they need stand ready.
struct alignas(64) ActivationBlock {
  int8_t codes[32];  // x / scale, rounded half to even, in [-127, 127]
  float scale;       // max |x| / 127
  float scaled_sum;  // scale · Σ codes
  int32_t minus_8_sum;
  int32_t minus_16_sum;
  int32_t minus_128_sum;
  int32_t reserved[3];
};
static_assert(sizeof(ActivationBlock) == 64);

inline constexpr int kSpanInputs = 256;

// Of a row; the last may be short.
inline int64_t NumSpans(int64_t inputs) {
  return (inputs + kSpanInputs - 1) / kSpanInputs;
}

// Five cache lines.
struct alignas(64) ActivationSpan {
  int8_t codes[kSpanInputs];  // as above
  int16_t sums[16];           // Σ codes, of each 16
  int16_t pair_sums[8];       // of each 32
  float scale;
  int32_t reserved[3];
};
static_assert(sizeof(ActivationSpan) == 320);

// Quantises one row; `inputs` is a multiple of 32, block b goes to out[b ·
// stride]. NaN counts as 0.
using QuantizeKernel = void(const float* in, int64_t inputs, int64_t stride,
                            ActivationBlock* out);
// The same in spans; `inputs` is a multiple of 256.
using QuantizeSpansKernel = void(const float* in, int64_t inputs,
                                 int64_t stride, ActivationSpan* out);

QuantizeKernel QuantizeReference, QuantizeAvx2, QuantizeAvx512, QuantizeNeon;
QuantizeSpansKernel QuantizeSpansReference, QuantizeSpansAvx2,
    QuantizeSpansAvx512, QuantizeSpansNeon;

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_QUANTIZE_KERNEL_H_
