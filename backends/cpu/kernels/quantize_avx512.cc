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

inline __m512i QuantizeVector(const float* in, Vec16 inverse, int8_t* codes) {
  const __m512i rounded = RoundAndClamp(Multiply(Load(in), inverse).v);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(codes),
                   _mm512_cvtepi32_epi8(rounded));
  return rounded;
}

// Stores the codes of 16 numbers and returns their sum.
inline int32_t QuantizeHalf(const float* in, Vec16 inverse, int8_t* codes) {
  return _mm512_reduce_add_epi32(QuantizeVector(in, inverse, codes));
}

// Lane i of the result is the sum of a[i]: each step adds lanes 8, 4, 2 and 1
// apart, as ReduceEach does.
inline __m512i SumEachInts(const __m512i a[16]) {
  Vec16 lanes[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) lanes[i] = {_mm512_castsi512_ps(a[i])};
  const Vec16 sums = ReduceEach(lanes, [](__m512 x, __m512 y) {
    return _mm512_castsi512_ps(
        _mm512_add_epi32(_mm512_castps_si512(x), _mm512_castps_si512(y)));
  });
  return _mm512_castps_si512(sums.v);
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
    __m512i codes[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i)
      codes[i] = QuantizeVector(in + 16 * i, inverse, out->codes + 16 * i);
    const __m512i sums = SumEachInts(codes);
    _mm256_store_si256(reinterpret_cast<__m256i*>(out->sums),
                       _mm512_cvtepi32_epi16(sums));
    // A pair of 32 bits is one number of 64, whose low half gets the sum.
    const __m512i pairs = _mm512_add_epi32(sums, _mm512_srli_epi64(sums, 32));
    _mm_store_si128(reinterpret_cast<__m128i*>(out->pair_sums),
                    _mm512_cvtepi64_epi16(pairs));
    out->scale = greatest / 127.0f;
  }
}

}  // namespace specinfer::cpu
