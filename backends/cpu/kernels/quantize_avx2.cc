#include "backends/cpu/kernels/quantize_kernel.h"
#include "backends/cpu/kernels/vec16_avx2.h"

namespace specinfer::cpu {
namespace {

// Eight values rounded half to even, clamped to ±127; NaN gives 0.
inline __m256i RoundAndClamp(__m256 value, __m256 inverse) {
  const __m256 scaled = _mm256_mul_ps(value, inverse);
  const __m256 clamped = _mm256_min_ps(
      _mm256_max_ps(scaled, _mm256_set1_ps(-127.0f)), _mm256_set1_ps(127.0f));
  const __m256 number = _mm256_cmp_ps(scaled, scaled, _CMP_ORD_Q);
  return _mm256_and_si256(_mm256_cvtps_epi32(clamped),
                          _mm256_castps_si256(number));
}

inline int32_t SumLanes(__m256i a) {
  __m128i sum =
      _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
  return _mm_cvtsi128_si32(sum);
}

// Quantises 16 values, stores their codes and returns their sum.
inline int32_t QuantizeHalf(Vec16 x, __m256 inverse, int8_t* codes) {
  const __m256i low = RoundAndClamp(x.low, inverse);
  const __m256i high = RoundAndClamp(x.high, inverse);
  const __m256i words =
      _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(codes),
                   _mm_packs_epi16(_mm256_castsi256_si128(words),
                                   _mm256_extracti128_si256(words, 1)));
  return SumLanes(_mm256_add_epi32(low, high));
}

}  // namespace

void QuantizeAvx2(const float* in, int64_t inputs, int64_t stride,
                  ActivationBlock* out) {
  for (int64_t b = 0; b < inputs / 32; ++b) {
    const Vec16 low = Load(in + b * 32);
    const Vec16 high = Load(in + b * 32 + 16);
    // Max gives its second operand when the first is NaN, so NaN is passed
    // over.
    const float greatest =
        Maximum(Max(Absolute(high), Max(Absolute(low), Zero())));
    const __m256 inverse =
        _mm256_set1_ps(greatest > 0.0f ? 127.0f / greatest : 0.0f);
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
