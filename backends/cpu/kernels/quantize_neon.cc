#include "backends/cpu/kernels/quantize_kernel.h"
#include "backends/cpu/kernels/vec16_neon.h"

namespace specinfer::cpu {
namespace {

// The greatest magnitude of 16 · kVectors numbers. Max gives its second operand
// when the first is NaN, so NaN is passed over.
template <int kVectors>
inline float Greatest(const float* in) {
  Vec16 greatest = Zero();
#pragma GCC unroll 16
  for (int i = 0; i < kVectors; ++i)
    greatest = Max(Absolute(Load(in + 16 * i)), greatest);
  return Maximum(greatest);
}

inline Vec16 InverseScale(float greatest) {
  return Broadcast(greatest > 0.0f ? 127.0f / greatest : 0.0f);
}

// Four values rounded half to even; NaN gives 0, what is too large saturates.
inline int16x4_t Round(float32x4_t value) {
  return vqmovn_s32(vcvtnq_s32_f32(value));
}

// Stores the codes of 16 numbers and returns their sum.
inline int32_t QuantizeHalf(const float* in, Vec16 inverse, int8_t* codes) {
  const Vec16 scaled = Multiply(Load(in), inverse);
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
  for (int64_t b = 0; b < inputs / 32; ++b, in += 32, out += stride) {
    const float greatest = Greatest<2>(in);
    const Vec16 inverse = InverseScale(greatest);
    const int32_t sum = QuantizeHalf(in, inverse, out->codes) +
                        QuantizeHalf(in + 16, inverse, out->codes + 16);
    out->scale = greatest / 127.0f;
    out->scaled_sum = out->scale * static_cast<float>(sum);
    out->minus_8_sum = -8 * sum;
    out->minus_16_sum = -16 * sum;
    out->minus_128_sum = -128 * sum;
  }
}

void QuantizeSpansNeon(const float* in, int64_t inputs, int64_t stride,
                       ActivationSpan* out) {
  for (int64_t s = 0; s < inputs / kSpanInputs;
       ++s, in += kSpanInputs, out += stride) {
    const float greatest = Greatest<16>(in);
    const Vec16 inverse = InverseScale(greatest);
    for (int i = 0; i < 16; ++i) {
      const int32_t sum =
          QuantizeHalf(in + 16 * i, inverse, out->codes + 16 * i);
      out->sums[i] = static_cast<int16_t>(sum);
    }
    for (int i = 0; i < 8; ++i)
      out->pair_sums[i] =
          static_cast<int16_t>(out->sums[2 * i] + out->sums[2 * i + 1]);
    out->scale = greatest / 127.0f;
  }
}

}  // namespace specinfer::cpu
