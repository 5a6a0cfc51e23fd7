#include "backends/cpu/kernels/quantize_kernel.h"
#include "backends/cpu/kernels/vec16_neon.h"

namespace specinfer::cpu {
namespace {

// Four values rounded half to even; NaN gives 0, what is too large saturates.
inline int16x4_t Round(float32x4_t value) {
  return vqmovn_s32(vcvtnq_s32_f32(value));
}

// Quantises 16 values, stores their codes and returns their sum.
inline int32_t QuantizeHalf(Vec16 x, Vec16 inverse, int8_t* codes) {
  const Vec16 scaled = Multiply(x, inverse);
  const int16x8_t low = vcombine_s16(Round(scaled.v[0]), Round(scaled.v[1]));
  const int16x8_t high = vcombine_s16(Round(scaled.v[2]), Round(scaled.v[3]));
  const int8x16_t rounded = vcombine_s8(vqmovn_s16(low), vqmovn_s16(high));
  const int8x16_t clamped = vmaxq_s8(rounded, vdupq_n_s8(-127));
  vst1q_s8(codes, clamped);
  return vaddlvq_s8(clamped);
}

}  // namespace

void QuantizeNeon(const float* in, int64_t inputs, int64_t stride,
                  ActivationBlock* out) {
  for (int64_t b = 0; b < inputs / 32; ++b) {
    const Vec16 low = Load(in + b * 32);
    const Vec16 high = Load(in + b * 32 + 16);
    // Max gives its second operand when the first is NaN, so NaN is passed
    // over.
    const float greatest =
        Maximum(Max(Absolute(high), Max(Absolute(low), Zero())));
    const Vec16 inverse = Broadcast(greatest > 0.0f ? 127.0f / greatest : 0.0f);
    ActivationBlock& block = out[b * stride];
    const int32_t low_sum = QuantizeHalf(low, inverse, block.codes);
    const int32_t high_sum = QuantizeHalf(high, inverse, block.codes + 16);
    block.sum = low_sum + high_sum;
    block.scale = greatest / 127.0f;
    block.scaled_sum = block.scale * static_cast<float>(block.sum);
    block.minus_8_sum = -8 * block.sum;
    block.minus_16_sum = -16 * block.sum;
    block.minus_128_sum = -128 * block.sum;
    block.minus_32_sum_low = -32 * low_sum;
    block.minus_32_sum_high = -32 * high_sum;
  }
}

}  // namespace specinfer::cpu
