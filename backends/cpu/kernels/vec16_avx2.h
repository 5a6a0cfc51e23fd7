// 16 virtual float lanes as two AVX2 registers. Included only by *_avx2.cc, so
// nothing here has a linker name.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_VEC16_AVX2_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_VEC16_AVX2_H_

#include <immintrin.h>

#include <cstdint>

namespace specinfer::cpu {
namespace {

struct Vec16 {
  __m256 low;   // lanes 0 to 7
  __m256 high;  // lanes 8 to 15
};

// The most queries that share one reading of keys and values, and how many
// vectors registers can hold for that: one for each query and one more, once
// for each vector of positions.
inline constexpr int kAttentionQueries = 6;
inline constexpr int kAttentionVectors = 7;

// All ones in lanes first … first + 7 that lie below `count`.
inline __m256i LanesBelow(int64_t count, int first) {
  const __m256i lane = _mm256_add_epi32(
      _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(first));
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane);
}

inline Vec16 Zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
inline Vec16 Broadcast(float x) {
  return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
inline Vec16 Load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
inline void Store(float* p, Vec16 a) {
  _mm256_storeu_ps(p, a.low);
  _mm256_storeu_ps(p + 8, a.high);
}
// The first `count` lanes, 0 < count <= 16; the others are 0, and their memory
// is not touched.
inline Vec16 LoadFirst(const float* p, int64_t count) {
  if (count <= 8)
    return {_mm256_maskload_ps(p, LanesBelow(count, 0)), _mm256_setzero_ps()};
  return {_mm256_loadu_ps(p), _mm256_maskload_ps(p + 8, LanesBelow(count, 8))};
}
inline void StoreFirst(float* p, Vec16 a, int64_t count) {
  _mm256_maskstore_ps(p, LanesBelow(count, 0), a.low);
  if (count > 8) _mm256_maskstore_ps(p + 8, LanesBelow(count, 8), a.high);
}

inline Vec16 LoadHalves(const uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtph_ps(
              _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
}
inline Vec16 LoadFirstHalves(const uint16_t* p, int64_t count) {
  alignas(16) uint16_t halves[16] = {};
  for (int64_t i = 0; i < count; ++i) halves[i] = p[i];
  return LoadHalves(halves);
}
inline void StoreHalves(uint16_t* p, Vec16 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm256_cvtps_ph(a.low, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8),
                   _mm256_cvtps_ph(a.high, _MM_FROUND_TO_NEAREST_INT));
}
inline void StoreFirstHalves(uint16_t* p, Vec16 a, int64_t count) {
  alignas(16) uint16_t halves[16];
  StoreHalves(halves, a);
  for (int64_t i = 0; i < count; ++i) p[i] = halves[i];
}

inline Vec16 Add(Vec16 a, Vec16 b) {
  return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
inline Vec16 Subtract(Vec16 a, Vec16 b) {
  return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}
inline Vec16 Multiply(Vec16 a, Vec16 b) {
  return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
inline Vec16 Divide(Vec16 a, Vec16 b) {
  return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}
inline Vec16 Max(Vec16 a, Vec16 b) {
  return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
inline Vec16 Fma(Vec16 a, Vec16 b, Vec16 c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low),
          _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline Vec16 FmaMinus(Vec16 a, Vec16 b, Vec16 c) {
  return {_mm256_fmsub_ps(a.low, b.low, c.low),
          _mm256_fmsub_ps(a.high, b.high, c.high)};
}
inline Vec16 Negate(Vec16 a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_xor_ps(a.low, sign), _mm256_xor_ps(a.high, sign)};
}
inline Vec16 Absolute(Vec16 a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
}
inline Vec16 CopySign(Vec16 magnitude, Vec16 sign) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return {_mm256_or_ps(magnitude.low, _mm256_and_ps(sign.low, bit)),
          _mm256_or_ps(magnitude.high, _mm256_and_ps(sign.high, bit))};
}
inline Vec16 RoundToNearest(Vec16 a) {
  constexpr int kMode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.low, kMode), _mm256_round_ps(a.high, kMode)};
}
inline __m256 PowerOfTwo(__m256 n) {
  const __m256i biased =
      _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}
// 2^n for whole n in [-126, 127].
inline Vec16 PowerOfTwo(Vec16 n) {
  return {PowerOfTwo(n.low), PowerOfTwo(n.high)};
}
inline __m256 AddToExponent(__m256 p, __m256 moved) {
  return _mm256_castsi256_ps(
      _mm256_add_epi32(_mm256_castps_si256(p),
                       _mm256_slli_epi32(_mm256_castps_si256(moved), 23)));
}
// p · 2^n for n = moved - 1.5 · 2^23, where p and the product are normal.
inline Vec16 AddToExponent(Vec16 p, Vec16 moved) {
  return {AddToExponent(p.low, moved.low), AddToExponent(p.high, moved.high)};
}
// a where x >= bound or x is NaN, else 0.
inline Vec16 ZeroBelow(Vec16 x, float bound, Vec16 a) {
  const __m256 limit = _mm256_set1_ps(bound);
  return {_mm256_and_ps(_mm256_cmp_ps(x.low, limit, _CMP_NLT_UQ), a.low),
          _mm256_and_ps(_mm256_cmp_ps(x.high, limit, _CMP_NLT_UQ), a.high)};
}
// a where x is a number, else x.
inline Vec16 KeepNan(Vec16 x, Vec16 a) {
  return {
      _mm256_blendv_ps(a.low, x.low, _mm256_cmp_ps(x.low, x.low, _CMP_UNORD_Q)),
      _mm256_blendv_ps(a.high, x.high,
                       _mm256_cmp_ps(x.high, x.high, _CMP_UNORD_Q))};
}
// a in lanes [first, last), else `other`. 0 <= first <= last <= 16.
inline Vec16 SelectLanes(int first, int last, Vec16 a, Vec16 other) {
  const __m256i low =
      _mm256_andnot_si256(LanesBelow(first, 0), LanesBelow(last, 0));
  const __m256i high =
      _mm256_andnot_si256(LanesBelow(first, 8), LanesBelow(last, 8));
  return {_mm256_blendv_ps(other.low, a.low, _mm256_castsi256_ps(low)),
          _mm256_blendv_ps(other.high, a.high, _mm256_castsi256_ps(high))};
}

// The fixed tree: lanes 8, 4, 2 and 1 apart.
inline float Sum(Vec16 a) {
  const __m256 eight = _mm256_add_ps(a.low, a.high);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight),
                                 _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float Maximum(Vec16 a) {
  const __m256 eight = _mm256_max_ps(a.low, a.high);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight),
                                 _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
// Lane i of the result is Sum(a[i]); likewise Maximum.
inline Vec16 SumEach(const Vec16 a[16]) {
  float sums[16];
  for (int i = 0; i < 16; ++i) sums[i] = Sum(a[i]);
  return Load(sums);
}
inline Vec16 MaximumEach(const Vec16 a[16]) {
  float maxima[16];
  for (int i = 0; i < 16; ++i) maxima[i] = Maximum(a[i]);
  return Load(maxima);
}
inline float SquareRoot(float x) {
  return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)));
}

// The even elements of a, b (16 values in memory order).
inline __m256 Even(__m256 a, __m256 b) {
  const __m256d mixed = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88));
  return _mm256_castpd_ps(_mm256_permute4x64_pd(mixed, 0xd8));
}
inline __m256 Odd(__m256 a, __m256 b) {
  const __m256d mixed = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0xdd));
  return _mm256_castpd_ps(_mm256_permute4x64_pd(mixed, 0xd8));
}
// The even and odd elements of a, b (32 values in memory order), and back.
inline void Deinterleave(Vec16 a, Vec16 b, Vec16* even, Vec16* odd) {
  *even = {Even(a.low, a.high), Even(b.low, b.high)};
  *odd = {Odd(a.low, a.high), Odd(b.low, b.high)};
}
inline Vec16 Zip(__m256 even, __m256 odd) {
  const __m256 low = _mm256_unpacklo_ps(even, odd);
  const __m256 high = _mm256_unpackhi_ps(even, odd);
  return {_mm256_permute2f128_ps(low, high, 0x20),
          _mm256_permute2f128_ps(low, high, 0x31)};
}
inline void Interleave(Vec16 even, Vec16 odd, Vec16* a, Vec16* b) {
  *a = Zip(even.low, odd.low);
  *b = Zip(even.high, odd.high);
}

// ---- Products of bytes, for attention over a q8 cache -----------------------

inline constexpr int kQ8Queries = 2;  // that share one reading
inline constexpr int kQ8Vectors = 1;

struct Ints16 {
  __m256i low, high;
};
inline Ints16 ZeroInts() {
  return {_mm256_setzero_si256(), _mm256_setzero_si256()};
}
inline Vec16 ToFloats(Ints16 a) {
  return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)};
}
// To nearest even.
inline Ints16 RoundToInts(Vec16 a) {
  return {_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high)};
}
// Lanes within ±127 as bytes.
inline void StoreCodes(int8_t* p, Ints16 a) {
  const __m256i words = _mm256_permute4x64_epi64(
      _mm256_packs_epi32(a.low, a.high), 0xd8);  // in order
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm_packs_epi16(_mm256_castsi256_si128(words),
                                   _mm256_extracti128_si256(words, 1)));
}

// Pairs of products below 2^15, so that none saturates.
inline __m256i AddProducts(__m256i sum, __m256i unsigned_bytes,
                           __m256i signed_bytes) {
  const __m256i pairs = _mm256_maddubs_epi16(unsigned_bytes, signed_bytes);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// Four bytes in each of 16 lanes, within ±127.
struct KeyQuads {
  __m256i low, high;
  __m256i low_size, high_size;
};
inline KeyQuads LoadKeyQuads(const uint8_t* p) {
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i high =
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32));
  return {low, high, _mm256_abs_epi8(low), _mm256_abs_epi8(high)};
}
// What to add products of a query to whose codes sum to `code_sum`.
inline Ints16 StartKeyDots(int32_t) { return ZeroInts(); }
inline Ints16 DotKeys(Ints16 sum, KeyQuads keys, int32_t four_codes) {
  const __m256i codes = _mm256_set1_epi32(four_codes);
  return {
      AddProducts(sum.low, keys.low_size, _mm256_sign_epi8(codes, keys.low)),
      AddProducts(sum.high, keys.high_size,
                  _mm256_sign_epi8(codes, keys.high))};
}
struct ValueQuads {
  __m256i low, high;
};
inline ValueQuads LoadValueQuads(const uint8_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
}
// The weights lie in [0, 127].
inline Ints16 DotWeights(Ints16 sum, ValueQuads values, int32_t four_weights) {
  const __m256i weights = _mm256_set1_epi32(four_weights);
  return {AddProducts(sum.low, weights, values.low),
          AddProducts(sum.high, weights, values.high)};
}

// The low bytes of 16 lanes.
inline __m128i LowBytes(__m256i low, __m256i high) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high),
                                                 0xd8);  // in order
  return _mm_packus_epi16(_mm256_castsi256_si128(words),
                          _mm256_extracti128_si256(words, 1));
}
// 64 codes below 2^14 as their high and low seven bits.
inline void StoreWeightCodes(uint8_t* high, uint8_t* low,
                             const Ints16 codes[4]) {
  const __m256i mask = _mm256_set1_epi32(127);
  for (int v = 0; v < 4; ++v, high += 16, low += 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(high),
                     LowBytes(_mm256_srli_epi32(codes[v].low, 7),
                              _mm256_srli_epi32(codes[v].high, 7)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(low),
                     LowBytes(_mm256_and_si256(codes[v].low, mask),
                              _mm256_and_si256(codes[v].high, mask)));
  }
}
inline Ints16 JoinWeightHalves(Ints16 high, Ints16 low) {
  return {_mm256_add_epi32(_mm256_slli_epi32(high.low, 7), low.low),
          _mm256_add_epi32(_mm256_slli_epi32(high.high, 7), low.high)};
}

}  // namespace
}  // namespace specinfer::cpu

#include "backends/cpu/kernels/vec16_math-inl.h"

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_VEC16_AVX2_H_
