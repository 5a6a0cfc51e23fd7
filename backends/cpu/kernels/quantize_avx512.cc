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

}  // namespace

void QuantizeAvx512(const float* in, int64_t inputs, int64_t stride,
                    ActivationBlock* out) {
  for (int64_t b = 0; b < inputs / 32; ++b) {
    const Vec16 low = Load(in + b * 32);
    const Vec16 high = Load(in + b * 32 + 16);
    // Max gives its second operand when the first is NaN, so NaN is passed
    // over.
    const float greatest =
        Maximum(Max(Absolute(high), Max(Absolute(low), Zero())));
    const Vec16 inverse = Broadcast(greatest > 0.0f ? 127.0f / greatest : 0.0f);
    const __m512i low_codes = RoundAndClamp(Multiply(low, inverse).v);
    const __m512i high_codes = RoundAndClamp(Multiply(high, inverse).v);
    ActivationBlock& block = out[b * stride];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(block.codes),
                     _mm512_cvtepi32_epi8(low_codes));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(block.codes + 16),
                     _mm512_cvtepi32_epi8(high_codes));
    const int32_t low_sum = _mm512_reduce_add_epi32(low_codes);
    const int32_t high_sum = _mm512_reduce_add_epi32(high_codes);
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
