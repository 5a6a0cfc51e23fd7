// 16 virtual float lanes as one AVX-512 register. Included only by *_avx512.cc,
// so nothing here has a linker name.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_VEC16_AVX512_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_VEC16_AVX512_H_

// GCC 12 takes the undefined vectors of its own header for mistakes.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <cstdint>

namespace specinfer::cpu {
namespace {

struct Vec16 {
  __m512 v;
};

// The most queries that share one reading of keys and values, and how many
// vectors registers can hold for that: one for each query and one more, once
// for each vector of positions.
inline constexpr int kAttentionQueries = 12;
inline constexpr int kAttentionVectors = 28;

inline __mmask16 FirstLanes(int64_t count) {
  return static_cast<__mmask16>((1u << count) - 1u);
}

inline Vec16 Zero() { return {_mm512_setzero_ps()}; }
inline Vec16 Broadcast(float x) { return {_mm512_set1_ps(x)}; }
inline Vec16 Load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline void Store(float* p, Vec16 a) { _mm512_storeu_ps(p, a.v); }
// The first `count` lanes, 0 < count <= 16; the others are 0, and their memory
// is not touched.
inline Vec16 LoadFirst(const float* p, int64_t count) {
  return {_mm512_maskz_loadu_ps(FirstLanes(count), p)};
}
inline void StoreFirst(float* p, Vec16 a, int64_t count) {
  _mm512_mask_storeu_ps(p, FirstLanes(count), a.v);
}

inline Vec16 LoadHalves(const uint16_t* p) {
  return {
      _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
inline Vec16 LoadFirstHalves(const uint16_t* p, int64_t count) {
  return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(FirstLanes(count), p))};
}
inline void StoreHalves(uint16_t* p, Vec16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
inline void StoreFirstHalves(uint16_t* p, Vec16 a, int64_t count) {
  _mm256_mask_storeu_epi16(p, FirstLanes(count),
                           _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}

inline Vec16 Add(Vec16 a, Vec16 b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Vec16 Subtract(Vec16 a, Vec16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Vec16 Multiply(Vec16 a, Vec16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Vec16 Divide(Vec16 a, Vec16 b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Vec16 Max(Vec16 a, Vec16 b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Vec16 Fma(Vec16 a, Vec16 b, Vec16 c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
inline Vec16 FmaMinus(Vec16 a, Vec16 b, Vec16 c) {
  return {_mm512_fmsub_ps(a.v, b.v, c.v)};
}
inline Vec16 Negate(Vec16 a) {
  return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))};
}
inline Vec16 Absolute(Vec16 a) {
  return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v)};
}
inline Vec16 CopySign(Vec16 magnitude, Vec16 sign) {
  return {
      _mm512_or_ps(magnitude.v, _mm512_and_ps(sign.v, _mm512_set1_ps(-0.0f)))};
}
inline Vec16 RoundToNearest(Vec16 a) {
  return {
      _mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
// 2^n for whole n in [-126, 127].
inline Vec16 PowerOfTwo(Vec16 n) {
  const __m512i biased =
      _mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(biased, 23))};
}
// p · 2^n for n = moved - 1.5 · 2^23, where p and the product are normal.
inline Vec16 AddToExponent(Vec16 p, Vec16 moved) {
  return {_mm512_castsi512_ps(
      _mm512_add_epi32(_mm512_castps_si512(p.v),
                       _mm512_slli_epi32(_mm512_castps_si512(moved.v), 23)))};
}
// a where x >= bound or x is NaN, else 0.
inline Vec16 ZeroBelow(Vec16 x, float bound, Vec16 a) {
  return {_mm512_maskz_mov_ps(
      _mm512_cmp_ps_mask(x.v, _mm512_set1_ps(bound), _CMP_NLT_UQ), a.v)};
}
// a where x is a number, else x.
inline Vec16 KeepNan(Vec16 x, Vec16 a) {
  return {
      _mm512_mask_mov_ps(a.v, _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q), x.v)};
}
// a in lanes [first, last), else `other`. 0 <= first <= last <= 16.
inline Vec16 SelectLanes(int first, int last, Vec16 a, Vec16 other) {
  return {_mm512_mask_mov_ps(
      other.v, static_cast<__mmask16>(FirstLanes(last) & ~FirstLanes(first)),
      a.v)};
}

// The fixed tree: lanes 8, 4, 2 and 1 apart.
inline float Sum(Vec16 a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v),
                                     _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight),
                                 _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float Maximum(Vec16 a) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a.v),
                                     _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight),
                                 _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
// Lane i of the result is Sum(a[i]); likewise Maximum. Each step halves the
// vectors and takes lanes 8, 4, 2 and 1 apart together.
template <typename Op>
inline Vec16 ReduceEach(const Vec16 a[16], Op op) {
  __m512 eight[8], four[4], two[2];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    // Queries 4k + g are put where the shuffles below leave them in order.
    const __m512 x = a[i % 2 * 8 + i / 2].v;
    const __m512 y = a[i % 2 * 8 + 4 + i / 2].v;
    eight[i] =
        op(_mm512_shuffle_f32x4(x, y, 0x44), _mm512_shuffle_f32x4(x, y, 0xee));
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    four[i] = op(_mm512_shuffle_f32x4(eight[2 * i], eight[2 * i + 1], 0x88),
                 _mm512_shuffle_f32x4(eight[2 * i], eight[2 * i + 1], 0xdd));
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const __m512d x = _mm512_castps_pd(four[2 * i]);
    const __m512d y = _mm512_castps_pd(four[2 * i + 1]);
    two[i] = op(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)),
                _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
  }
  return {op(_mm512_shuffle_ps(two[0], two[1], 0x88),
             _mm512_shuffle_ps(two[0], two[1], 0xdd))};
}
inline Vec16 SumEach(const Vec16 a[16]) {
  return ReduceEach(a, [](__m512 x, __m512 y) { return _mm512_add_ps(x, y); });
}
inline Vec16 MaximumEach(const Vec16 a[16]) {
  return ReduceEach(a, [](__m512 x, __m512 y) { return _mm512_max_ps(x, y); });
}
inline float SquareRoot(float x) {
  return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)));
}

// The even and odd elements of a, b (32 values in memory order), and back.
inline void Deinterleave(Vec16 a, Vec16 b, Vec16* even, Vec16* odd) {
  const __m512i index = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20,
                                          22, 24, 26, 28, 30);
  *even = {_mm512_permutex2var_ps(a.v, index, b.v)};
  *odd = {_mm512_permutex2var_ps(
      a.v, _mm512_add_epi32(index, _mm512_set1_epi32(1)), b.v)};
}
inline void Interleave(Vec16 even, Vec16 odd, Vec16* a, Vec16* b) {
  const __m512i low =
      _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  *a = {_mm512_permutex2var_ps(even.v, low, odd.v)};
  *b = {_mm512_permutex2var_ps(
      even.v, _mm512_add_epi32(low, _mm512_set1_epi32(8)), odd.v)};
}

// ---- Products of bytes, for attention over a q8 cache -----------------------

inline constexpr int kQ8Queries = 6;  // that share one reading
inline constexpr int kQ8Vectors = 2;

struct Ints16 {
  __m512i v;
};
inline Ints16 ZeroInts() { return {_mm512_setzero_si512()}; }
inline Vec16 ToFloats(Ints16 a) { return {_mm512_cvtepi32_ps(a.v)}; }
// To nearest even.
inline Ints16 RoundToInts(Vec16 a) { return {_mm512_cvtps_epi32(a.v)}; }
// Lanes within ±127 as bytes.
inline void StoreCodes(int8_t* p, Ints16 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}

// sum + Σ unsigned bytes · bytes. GCC 12 copies every sum before and after the
// builtin for this, and runs out of registers.
inline __m512i AddDots(__m512i sum, __m512i unsigned_bytes, __m512i bytes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(unsigned_bytes), "v"(bytes));
  return sum;
}

// Four bytes in each of 16 lanes. Keys lie within ±127; here 128 is added,
// which StartKeyDots takes away.
struct KeyQuads {
  __m512i v;
};
inline KeyQuads LoadKeyQuads(const uint8_t* p) {
  return {_mm512_xor_si512(_mm512_loadu_si512(p),
                           _mm512_set1_epi32(static_cast<int>(0x80808080u)))};
}
// What to add products of a query to whose codes sum to `code_sum`.
inline Ints16 StartKeyDots(int32_t code_sum) {
  return {_mm512_set1_epi32(-128 * code_sum)};
}
inline Ints16 DotKeys(Ints16 sum, KeyQuads keys, int32_t four_codes) {
  return {AddDots(sum.v, keys.v, _mm512_set1_epi32(four_codes))};
}
struct ValueQuads {
  __m512i v;
};
inline ValueQuads LoadValueQuads(const uint8_t* p) {
  return {_mm512_loadu_si512(p)};
}
// The weights lie in [0, 127].
inline Ints16 DotWeights(Ints16 sum, ValueQuads values, int32_t four_weights) {
  return {AddDots(sum.v, _mm512_set1_epi32(four_weights), values.v)};
}

// 64 codes below 2^14 as their high and low seven bits.
inline void StoreWeightCodes(uint8_t* high, uint8_t* low,
                             const Ints16 codes[4]) {
  // Bytes 0 to 3 of lane i become those of vectors 0, 2, 1 and 3.
  const __m128i lane = _mm_setr_epi8(0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40,
                                     44, 48, 52, 56, 60);
  const __m512i order = _mm512_add_epi8(
      _mm512_broadcast_i32x4(lane),
      _mm512_setr_epi32(0, 0, 0, 0, 0x02020202, 0x02020202, 0x02020202,
                        0x02020202, 0x01010101, 0x01010101, 0x01010101,
                        0x01010101, 0x03030303, 0x03030303, 0x03030303,
                        0x03030303));
  const __m512i mask = _mm512_set1_epi16(127);
  const __m512i first =
      _mm512_or_si512(codes[0].v, _mm512_slli_epi32(codes[1].v, 16));
  const __m512i second =
      _mm512_or_si512(codes[2].v, _mm512_slli_epi32(codes[3].v, 16));
  const __m512i lows =
      _mm512_or_si512(_mm512_and_si512(first, mask),
                      _mm512_slli_epi16(_mm512_and_si512(second, mask), 8));
  const __m512i highs =
      _mm512_or_si512(_mm512_srli_epi16(first, 7),
                      _mm512_slli_epi16(_mm512_srli_epi16(second, 7), 8));
  _mm512_storeu_si512(high, _mm512_permutexvar_epi8(order, highs));
  _mm512_storeu_si512(low, _mm512_permutexvar_epi8(order, lows));
}
inline Ints16 JoinWeightHalves(Ints16 high, Ints16 low) {
  return {_mm512_add_epi32(_mm512_slli_epi32(high.v, 7), low.v)};
}

}  // namespace
}  // namespace specinfer::cpu

#include "backends/cpu/kernels/vec16_math-inl.h"

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_VEC16_AVX512_H_
