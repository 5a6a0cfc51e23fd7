#include "backends/cpu/kernels/quantize_kernel.h"
#include "backends/cpu/kernels/vec16_avx512.h"

namespace specinfer::cpu {
namespace {

// Rounds half to even, clamps to ±127; NaN gives 0.
inline __m512i RoundAndClamp(__m512 value) {
  const __m512 clamped = _mm512_min_ps(
      _mm512_max_ps(value, _mm512_set1_ps(-127.0f)), _mm512_set1_ps(127.0f));
  return _mm512_maskz_cvtps_epi32(_mm512_cmp_ps_mask(value, value, _CMP_ORD_Q),
                                  clamped);
}

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

// Stores the codes of 16 numbers and returns their sum.
inline int32_t QuantizeHalf(const float* in, Vec16 inverse, int8_t* codes) {
  const __m512i rounded = RoundAndClamp(Multiply(Load(in), inverse).v);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(codes),
                   _mm512_cvtepi32_epi8(rounded));
  return _mm512_reduce_add_epi32(rounded);
}

}  // namespace

void QuantizeAvx512(const float* in, int64_t inputs, int64_t stride,
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

void QuantizeSpansAvx512(const float* in, int64_t inputs, int64_t stride,
                         ActivationSpan* out) {
  for (int64_t s = 0; s < inputs / kSpanInputs;
       ++s, in += kSpanInputs, out += stride) {
    const float greatest = Greatest<16>(in);
    const Vec16 inverse = InverseScale(greatest);
    for (int i = 0; i < 16; ++i) {
      const int32_t sum =
          QuantizeHalf(in + 16 * i, inverse, out->codes + 16 * i);
      out->sums[i] = static_cast<int16_t>(sum);
      out->minus_32_sums[i] = -32 * sum;
    }
    for (int i = 0; i < 8; ++i)
      out->pair_sums[i] =
          static_cast<int16_t>(out->sums[2 * i] + out->sums[2 * i + 1]);
    out->scale = greatest / 127.0f;
  }
}

}  // namespace specinfer::cpu
