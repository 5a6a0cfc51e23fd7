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

// Codes of `count` numbers; returns their scale.
float QuantizeCodes(const float* x, int count, int8_t* codes) {
  float greatest = 0.0f;
  for (int i = 0; i < count; ++i)
    greatest = std::fabs(x[i]) > greatest ? std::fabs(x[i]) : greatest;
  const float inverse = greatest > 0.0f ? 127.0f / greatest : 0.0f;
  for (int i = 0; i < count; ++i) codes[i] = RoundAndClamp(x[i] * inverse);
  return greatest / 127.0f;
}

int32_t SumOf(const int8_t* codes, int count) {
  int32_t sum = 0;
  for (int i = 0; i < count; ++i) sum += codes[i];
  return sum;
}

}  // namespace

void QuantizeReference(const float* in, int64_t inputs, int64_t stride,
                       ActivationBlock* out) {
  for (int64_t b = 0; b < inputs / 32; ++b) {
    ActivationBlock& block = out[b * stride];
    block.scale = QuantizeCodes(in + b * 32, 32, block.codes);
    const int32_t sum = SumOf(block.codes, 32);
    block.scaled_sum = block.scale * static_cast<float>(sum);
    block.minus_8_sum = -8 * sum;
    block.minus_16_sum = -16 * sum;
    block.minus_128_sum = -128 * sum;
  }
}

void QuantizeSpansReference(const float* in, int64_t inputs, int64_t stride,
                            ActivationSpan* out) {
  for (int64_t s = 0; s < inputs / kSpanInputs; ++s) {
    ActivationSpan& span = out[s * stride];
    span.scale = QuantizeCodes(in + s * kSpanInputs, kSpanInputs, span.codes);
    for (int i = 0; i < 16; ++i) {
      const int32_t sum = SumOf(span.codes + i * 16, 16);
      span.sums[i] = static_cast<int16_t>(sum);
    }
    for (int i = 0; i < 8; ++i)
      span.pair_sums[i] =
          static_cast<int16_t>(span.sums[2 * i] + span.sums[2 * i + 1]);
  }
}

}  // namespace specinfer::cpu
