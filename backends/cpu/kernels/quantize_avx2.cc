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

// The greatest magnitude of 16 · num_vectors numbers. Max gives its second
// operand when the first is NaN, so NaN is passed over.
inline float Greatest(const float* in, int num_vectors) {
  Vec16 greatest = Zero();
  for (int i = 0; i < num_vectors; ++i)
    greatest = Max(Absolute(Load(in + 16 * i)), greatest);
  return Maximum(greatest);
}

inline __m256 InverseScale(float greatest) {
  return _mm256_set1_ps(greatest > 0.0f ? 127.0f / greatest : 0.0f);
}

}  // namespace

void QuantizeAvx2(const float* in, int64_t inputs, int64_t stride,
                  ActivationBlock* out) {
  for (int64_t b = 0; b < inputs / 32; ++b, in += 32, out += stride) {
    const float greatest = Greatest(in, 2);
    const __m256 inverse = InverseScale(greatest);
    const int32_t sum = QuantizeHalf(Load(in), inverse, out->codes) +
                        QuantizeHalf(Load(in + 16), inverse, out->codes + 16);
    out->scale = greatest / 127.0f;
    out->scaled_sum = out->scale * static_cast<float>(sum);
    out->minus_8_sum = -8 * sum;
    out->minus_16_sum = -16 * sum;
    out->minus_128_sum = -128 * sum;
  }
}

void QuantizeSpansAvx2(const float* in, int64_t inputs, int64_t stride,
                       ActivationSpan* out) {
  for (int64_t s = 0; s < inputs / kSpanInputs;
       ++s, in += kSpanInputs, out += stride) {
    const float greatest = Greatest(in, 16);
    const __m256 inverse = InverseScale(greatest);
    for (int i = 0; i < 16; ++i) {
      const int32_t sum =
          QuantizeHalf(Load(in + 16 * i), inverse, out->codes + 16 * i);
      out->sums[i] = static_cast<int16_t>(sum);
    }
    for (int i = 0; i < 8; ++i)
      out->pair_sums[i] =
          static_cast<int16_t>(out->sums[2 * i] + out->sums[2 * i + 1]);
    out->scale = greatest / 127.0f;
  }
}

}  // namespace specinfer::cpu
