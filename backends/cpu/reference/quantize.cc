#include <cmath>

#include "backends/cpu/kernels/quantize_kernel.h"

namespace specinfer::cpu {
namespace {

int8_t RoundAndClamp(float value) {
  if (value != value) return 0;
  const float rounded = std::nearbyintf(value);
  return static_cast<int8_t>(rounded > 127.0f    ? 127.0f
                             : rounded < -127.0f ? -127.0f
                                                 : rounded);
}

}  // namespace

void QuantizeReference(const float* in, int64_t inputs, int64_t stride,
                       ActivationBlock* out) {
  for (int64_t b = 0; b < inputs / 32; ++b) {
    const float* x = in + b * 32;
    ActivationBlock& block = out[b * stride];
    float greatest = 0.0f;
    for (int i = 0; i < 32; ++i)
      greatest = std::fabs(x[i]) > greatest ? std::fabs(x[i]) : greatest;
    const float inverse = greatest > 0.0f ? 127.0f / greatest : 0.0f;
    int32_t sums[2] = {0, 0};
    for (int i = 0; i < 32; ++i) {
      block.codes[i] = RoundAndClamp(x[i] * inverse);
      sums[i / 16] += block.codes[i];
    }
    block.sum = sums[0] + sums[1];
    block.scale = greatest / 127.0f;
    block.scaled_sum = block.scale * static_cast<float>(block.sum);
    block.minus_8_sum = -8 * block.sum;
    block.minus_16_sum = -16 * block.sum;
    block.minus_128_sum = -128 * block.sum;
    block.minus_32_sum_low = -32 * sums[0];
    block.minus_32_sum_high = -32 * sums[1];
  }
}

}  // namespace specinfer::cpu
