// Activations as 8-bit integers, in blocks of 32 along a row.
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
  int32_t minus_32_sum_low;   // of codes 0 to 15
  int32_t minus_32_sum_high;  // of codes 16 to 31
  int32_t sum;
};
static_assert(sizeof(ActivationBlock) == 64);

// Quantises one row; `inputs` is a multiple of 32, block b goes to out[b ·
// stride]. NaN counts as 0.
using QuantizeKernel = void(const float* in, int64_t inputs, int64_t stride,
                            ActivationBlock* out);

QuantizeKernel QuantizeReference, QuantizeAvx2, QuantizeAvx512, QuantizeNeon;

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_QUANTIZE_KERNEL_H_
