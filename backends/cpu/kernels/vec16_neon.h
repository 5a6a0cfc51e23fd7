// 16 virtual float lanes as four NEON registers. Included only by *_neon.cc, so
// nothing here has a linker name.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_VEC16_NEON_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_VEC16_NEON_H_

#include <arm_neon.h>

#include <cstdint>

namespace specinfer::cpu {
namespace {

struct Vec16 {
  float32x4_t v[4];  // lanes 0 to 3, 4 to 7, …
};

// The most queries that share one reading of keys and values, and how many
// vectors registers can hold for that: one for each query and one more, once
// for each vector of positions.
inline constexpr int kAttentionQueries = 4;
inline constexpr int kAttentionVectors = 7;

// `op` on each register of its operands.
template <typename Op>
inline Vec16 Map(Op op, Vec16 a) {
  return {op(a.v[0]), op(a.v[1]), op(a.v[2]), op(a.v[3])};
}
template <typename Op>
inline Vec16 Map(Op op, Vec16 a, Vec16 b) {
  return {op(a.v[0], b.v[0]), op(a.v[1], b.v[1]), op(a.v[2], b.v[2]),
          op(a.v[3], b.v[3])};
}
template <typename Op>
inline Vec16 Map(Op op, Vec16 a, Vec16 b, Vec16 c) {
  return {op(a.v[0], b.v[0], c.v[0]), op(a.v[1], b.v[1], c.v[1]),
          op(a.v[2], b.v[2], c.v[2]), op(a.v[3], b.v[3], c.v[3])};
}

inline Vec16 Broadcast(float x) {
  const float32x4_t v = vdupq_n_f32(x);
  return {v, v, v, v};
}
inline Vec16 Zero() { return Broadcast(0.0f); }
inline Vec16 Load(const float* p) {
  return {vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
}
inline void Store(float* p, Vec16 a) {
  vst1q_f32(p, a.v[0]);
  vst1q_f32(p + 4, a.v[1]);
  vst1q_f32(p + 8, a.v[2]);
  vst1q_f32(p + 12, a.v[3]);
}
// The first `count` lanes, 0 < count <= 16; the others are 0, and their memory
// is not touched.
inline Vec16 LoadFirst(const float* p, int64_t count) {
  if (count == 16) return Load(p);
  float lanes[16] = {};
  for (int64_t i = 0; i < count; ++i) lanes[i] = p[i];
  return Load(lanes);
}
inline void StoreFirst(float* p, Vec16 a, int64_t count) {
  if (count == 16) return Store(p, a);
  float lanes[16];
  Store(lanes, a);
  for (int64_t i = 0; i < count; ++i) p[i] = lanes[i];
}

inline float32x4_t FourHalves(const uint16_t* p) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
inline Vec16 LoadHalves(const uint16_t* p) {
  return {FourHalves(p), FourHalves(p + 4), FourHalves(p + 8),
          FourHalves(p + 12)};
}
inline Vec16 LoadFirstHalves(const uint16_t* p, int64_t count) {
  if (count == 16) return LoadHalves(p);
  uint16_t halves[16] = {};
  for (int64_t i = 0; i < count; ++i) halves[i] = p[i];
  return LoadHalves(halves);
}
inline void StoreHalves(uint16_t* p, Vec16 a) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(a.v[i])));
}
inline void StoreFirstHalves(uint16_t* p, Vec16 a, int64_t count) {
  if (count == 16) return StoreHalves(p, a);
  uint16_t halves[16];
  StoreHalves(halves, a);
  for (int64_t i = 0; i < count; ++i) p[i] = halves[i];
}

inline Vec16 Add(Vec16 a, Vec16 b) {
  return Map([](float32x4_t x, float32x4_t y) { return vaddq_f32(x, y); }, a,
             b);
}
inline Vec16 Subtract(Vec16 a, Vec16 b) {
  return Map([](float32x4_t x, float32x4_t y) { return vsubq_f32(x, y); }, a,
             b);
}
inline Vec16 Multiply(Vec16 a, Vec16 b) {
  return Map([](float32x4_t x, float32x4_t y) { return vmulq_f32(x, y); }, a,
             b);
}
inline Vec16 Divide(Vec16 a, Vec16 b) {
  return Map([](float32x4_t x, float32x4_t y) { return vdivq_f32(x, y); }, a,
             b);
}
// The second operand unless the first is greater, as on x86: vmaxq gives NaN
// where either is NaN.
inline float32x4_t Greater(float32x4_t a, float32x4_t b) {
  return vbslq_f32(vcgtq_f32(a, b), a, b);
}
inline Vec16 Max(Vec16 a, Vec16 b) {
  return Map([](float32x4_t x, float32x4_t y) { return Greater(x, y); }, a, b);
}
inline Vec16 Fma(Vec16 a, Vec16 b, Vec16 c) {
  return Map([](float32x4_t x, float32x4_t y,
                float32x4_t z) { return vfmaq_f32(z, x, y); },
             a, b, c);
}
inline Vec16 FmaMinus(Vec16 a, Vec16 b, Vec16 c) {
  return Map([](float32x4_t x, float32x4_t y,
                float32x4_t z) { return vfmaq_f32(vnegq_f32(z), x, y); },
             a, b, c);
}
inline Vec16 Negate(Vec16 a) {
  return Map([](float32x4_t x) { return vnegq_f32(x); }, a);
}
inline Vec16 Absolute(Vec16 a) {
  return Map([](float32x4_t x) { return vabsq_f32(x); }, a);
}
// REQUIRES: the magnitude's own sign is plus.
inline Vec16 CopySign(Vec16 magnitude, Vec16 sign) {
  return Map(
      [](float32x4_t x, float32x4_t y) {
        return vbslq_f32(vdupq_n_u32(0x80000000u), y, x);
      },
      magnitude, sign);
}
inline Vec16 RoundToNearest(Vec16 a) {
  return Map([](float32x4_t x) { return vrndnq_f32(x); }, a);
}
// 2^n for whole n in [-126, 127].
inline Vec16 PowerOfTwo(Vec16 n) {
  return Map(
      [](float32x4_t x) {
        const int32x4_t biased = vaddq_s32(vcvtq_s32_f32(x), vdupq_n_s32(127));
        return vreinterpretq_f32_s32(vshlq_n_s32(biased, 23));
      },
      n);
}
// p · 2^n for n = moved - 1.5 · 2^23, where p and the product are normal.
inline Vec16 AddToExponent(Vec16 p, Vec16 moved) {
  return Map(
      [](float32x4_t x, float32x4_t y) {
        const int32x4_t n = vshlq_n_s32(vreinterpretq_s32_f32(y), 23);
        return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(x), n));
      },
      p, moved);
}
// a where x >= bound or x is NaN, else 0.
inline Vec16 ZeroBelow(Vec16 x, float bound, Vec16 a) {
  return Map(
      [bound](float32x4_t y, float32x4_t b) {
        const uint32x4_t is_below = vcltq_f32(y, vdupq_n_f32(bound));
        return vreinterpretq_f32_u32(
            vbicq_u32(vreinterpretq_u32_f32(b), is_below));
      },
      x, a);
}
// a where x is a number, else x.
inline Vec16 KeepNan(Vec16 x, Vec16 a) {
  return Map([](float32x4_t y,
                float32x4_t b) { return vbslq_f32(vceqq_f32(y, y), b, y); },
             x, a);
}
// a in lanes [first, last), else `other`. 0 <= first <= last <= 16.
inline Vec16 SelectLanes(int first, int last, Vec16 a, Vec16 other) {
  static constexpr int32_t kLanes[16] = {0, 1, 2,  3,  4,  5,  6,  7,
                                         8, 9, 10, 11, 12, 13, 14, 15};
  const int32x4_t from = vdupq_n_s32(first);
  const int32x4_t to = vdupq_n_s32(last);
  Vec16 selected = other;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const int32x4_t lane = vld1q_s32(kLanes + 4 * i);
    const uint32x4_t mask =
        vandq_u32(vcgeq_s32(lane, from), vcltq_s32(lane, to));
    selected.v[i] = vbslq_f32(mask, a.v[i], other.v[i]);
  }
  return selected;
}

// The fixed tree: lanes 8, 4, 2 and 1 apart.
inline float Sum(Vec16 a) {
  const float32x4_t four =
      vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
  const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
inline float Maximum(Vec16 a) {
  const float32x4_t four =
      Greater(Greater(a.v[0], a.v[2]), Greater(a.v[1], a.v[3]));
  float lanes[4];
  vst1q_f32(lanes, four);
  const float even = lanes[0] > lanes[2] ? lanes[0] : lanes[2];
  const float odd = lanes[1] > lanes[3] ? lanes[1] : lanes[3];
  return even > odd ? even : odd;
}
// Lane i of the result is Sum(a[i]); likewise Maximum.
template <typename Op>
inline float32x4_t ReduceFour(const Vec16* a, Op op) {
  float32x4_t four[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    four[i] = op(op(a[i].v[0], a[i].v[2]), op(a[i].v[1], a[i].v[3]));
  }
  float32x4_t two[2];
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const float64x2_t x = vreinterpretq_f64_f32(four[2 * i]);
    const float64x2_t y = vreinterpretq_f64_f32(four[2 * i + 1]);
    two[i] = op(vreinterpretq_f32_f64(vzip1q_f64(x, y)),
                vreinterpretq_f32_f64(vzip2q_f64(x, y)));
  }
  return op(vuzp1q_f32(two[0], two[1]), vuzp2q_f32(two[0], two[1]));
}
template <typename Op>
inline Vec16 ReduceEach(const Vec16 a[16], Op op) {
  return {ReduceFour(a, op), ReduceFour(a + 4, op), ReduceFour(a + 8, op),
          ReduceFour(a + 12, op)};
}
inline Vec16 SumEach(const Vec16 a[16]) {
  return ReduceEach(
      a, [](float32x4_t x, float32x4_t y) { return vaddq_f32(x, y); });
}
inline Vec16 MaximumEach(const Vec16 a[16]) {
  return ReduceEach(a,
                    [](float32x4_t x, float32x4_t y) { return Greater(x, y); });
}
inline float SquareRoot(float x) {
  return vget_lane_f32(vsqrt_f32(vdup_n_f32(x)), 0);
}

// The even and odd elements of a, b (32 values in memory order), and back.
inline void Deinterleave(Vec16 a, Vec16 b, Vec16* even, Vec16* odd) {
  *even = {vuzp1q_f32(a.v[0], a.v[1]), vuzp1q_f32(a.v[2], a.v[3]),
           vuzp1q_f32(b.v[0], b.v[1]), vuzp1q_f32(b.v[2], b.v[3])};
  *odd = {vuzp2q_f32(a.v[0], a.v[1]), vuzp2q_f32(a.v[2], a.v[3]),
          vuzp2q_f32(b.v[0], b.v[1]), vuzp2q_f32(b.v[2], b.v[3])};
}
inline void Interleave(Vec16 even, Vec16 odd, Vec16* a, Vec16* b) {
  *a = {vzip1q_f32(even.v[0], odd.v[0]), vzip2q_f32(even.v[0], odd.v[0]),
        vzip1q_f32(even.v[1], odd.v[1]), vzip2q_f32(even.v[1], odd.v[1])};
  *b = {vzip1q_f32(even.v[2], odd.v[2]), vzip2q_f32(even.v[2], odd.v[2]),
        vzip1q_f32(even.v[3], odd.v[3]), vzip2q_f32(even.v[3], odd.v[3])};
}

// ---- Products of bytes, for attention over a q8 cache -----------------------

inline constexpr int kQ8Queries = 3;  // that share one reading
inline constexpr int kQ8Vectors = 1;

struct Ints16 {
  int32x4_t v[4];
};
inline Ints16 ZeroInts() {
  const int32x4_t v = vdupq_n_s32(0);
  return {v, v, v, v};
}
inline Vec16 ToFloats(Ints16 a) {
  return {vcvtq_f32_s32(a.v[0]), vcvtq_f32_s32(a.v[1]), vcvtq_f32_s32(a.v[2]),
          vcvtq_f32_s32(a.v[3])};
}
// To nearest even.
inline Ints16 RoundToInts(Vec16 a) {
  return {vcvtnq_s32_f32(a.v[0]), vcvtnq_s32_f32(a.v[1]),
          vcvtnq_s32_f32(a.v[2]), vcvtnq_s32_f32(a.v[3])};
}
inline int16x8_t LowWords(int32x4_t a, int32x4_t b) {
  return vcombine_s16(vmovn_s32(a), vmovn_s32(b));
}
// Lanes within ±127 as bytes.
inline void StoreCodes(int8_t* p, Ints16 a) {
  vst1_s8(p, vmovn_s16(LowWords(a.v[0], a.v[1])));
  vst1_s8(p + 8, vmovn_s16(LowWords(a.v[2], a.v[3])));
}

// Four bytes in each of 16 lanes.
struct Bytes64 {
  int8x16_t v[4];
};
inline Bytes64 LoadBytes64(const uint8_t* p) {
  const int8_t* bytes = reinterpret_cast<const int8_t*>(p);
  return {vld1q_s8(bytes), vld1q_s8(bytes + 16), vld1q_s8(bytes + 32),
          vld1q_s8(bytes + 48)};
}
inline Ints16 AddDots(Ints16 sum, Bytes64 bytes, int32_t four) {
  const int8x16_t other = vreinterpretq_s8_s32(vdupq_n_s32(four));
  return {vdotq_s32(sum.v[0], bytes.v[0], other),
          vdotq_s32(sum.v[1], bytes.v[1], other),
          vdotq_s32(sum.v[2], bytes.v[2], other),
          vdotq_s32(sum.v[3], bytes.v[3], other)};
}
using KeyQuads = Bytes64;
inline KeyQuads LoadKeyQuads(const uint8_t* p) { return LoadBytes64(p); }
// What to add products of a query to whose codes sum to `code_sum`.
inline Ints16 StartKeyDots(int32_t) { return ZeroInts(); }
inline Ints16 DotKeys(Ints16 sum, KeyQuads keys, int32_t four_codes) {
  return AddDots(sum, keys, four_codes);
}
using ValueQuads = Bytes64;
inline ValueQuads LoadValueQuads(const uint8_t* p) { return LoadBytes64(p); }
// The weights lie in [0, 127].
inline Ints16 DotWeights(Ints16 sum, ValueQuads values, int32_t four_weights) {
  return AddDots(sum, values, four_weights);
}

// 64 codes below 2^14 as their high and low seven bits.
inline void StoreWeightCodes(uint8_t* high, uint8_t* low,
                             const Ints16 codes[4]) {
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const uint16x8_t words = vreinterpretq_u16_s16(
          LowWords(codes[v].v[2 * half], codes[v].v[2 * half + 1]));
      const int first = 16 * v + 8 * half;
      vst1_u8(high + first, vshrn_n_u16(words, 7));
      vst1_u8(low + first, vmovn_u16(vandq_u16(words, vdupq_n_u16(127))));
    }
  }
}
inline Ints16 JoinWeightHalves(Ints16 high, Ints16 low) {
  Ints16 joined;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    joined.v[i] = vaddq_s32(vshlq_n_s32(high.v[i], 7), low.v[i]);
  return joined;
}

}  // namespace
}  // namespace specinfer::cpu

#include "backends/cpu/kernels/vec16_math-inl.h"

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_VEC16_NEON_H_
