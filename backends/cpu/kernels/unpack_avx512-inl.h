// Unpacks blocks of packed groups into AVX-512 registers. Included by
// linear_avx512.cc.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_UNPACK_AVX512_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_UNPACK_AVX512_INL_H_

#include "backends/cpu/kernels/pack.h"
#include "backends/cpu/kernels/vec16_avx512.h"

namespace specinfer::cpu {
namespace {

struct Vectors {
  __m512i v[kNumVectors];
};

inline __m512i LoadPlane(const uint8_t* codes, int plane) {
  return _mm512_loadu_si512(codes + plane * 64);
}

// a where the mask has ones, else b.
inline __m512i Select(__m512i mask, __m512i a, __m512i b) {
  return _mm512_ternarylogic_epi32(mask, a, b, 0xca);
}

inline void UnpackNibbles(const uint8_t* codes, Vectors* w) {
  const __m512i low = _mm512_set1_epi8(0x0f);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512i plane = LoadPlane(codes, i);
    w->v[i] = _mm512_and_si512(plane, low);
    w->v[4 + i] = _mm512_and_si512(_mm512_srli_epi16(plane, 4), low);
  }
}

inline void UnpackPairs(const uint8_t* codes, Vectors* w) {
  const __m512i low = _mm512_set1_epi8(3);
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const __m512i plane = LoadPlane(codes, half);
    w->v[half * 4] = _mm512_and_si512(plane, low);
    w->v[half * 4 + 1] = _mm512_and_si512(_mm512_srli_epi16(plane, 2), low);
    w->v[half * 4 + 2] = _mm512_and_si512(_mm512_srli_epi16(plane, 4), low);
    w->v[half * 4 + 3] = _mm512_and_si512(_mm512_srli_epi16(plane, 6), low);
  }
}

// Moves bit `from` of every byte to bit `to`; other bits are noise.
template <int kFrom, int kTo>
inline __m512i MoveBit(__m512i a) {
  if constexpr (kFrom < kTo) return _mm512_slli_epi16(a, kTo - kFrom);
  if constexpr (kFrom > kTo) return _mm512_srli_epi16(a, kFrom - kTo);
  return a;
}

// Adds bit i of `bits` to vector i, as bit kTo.
template <int kTo>
inline void AddTopBits(__m512i bits, Vectors* w) {
  const __m512i mask = _mm512_set1_epi8(1 << kTo);
  const auto add = [&](int i, __m512i moved) {
    // w | (moved & mask)
    w->v[i] = _mm512_ternarylogic_epi32(w->v[i], moved, mask, 0xf8);
  };
  add(0, MoveBit<0, kTo>(bits));
  add(1, MoveBit<1, kTo>(bits));
  add(2, MoveBit<2, kTo>(bits));
  add(3, MoveBit<3, kTo>(bits));
  add(4, MoveBit<4, kTo>(bits));
  add(5, MoveBit<5, kTo>(bits));
  add(6, MoveBit<6, kTo>(bits));
  add(7, MoveBit<7, kTo>(bits));
}

inline void UnpackSixBits(const uint8_t* codes, Vectors* w) {
  const __m512i six = _mm512_set1_epi8(0x3f);
  const __m512i two = _mm512_set1_epi8(0x03);
  const __m512i four = _mm512_set1_epi8(0x0f);
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const __m512i a = LoadPlane(codes, half * 3);
    const __m512i b = LoadPlane(codes, half * 3 + 1);
    const __m512i c = LoadPlane(codes, half * 3 + 2);
    w->v[half * 3] = _mm512_and_si512(a, six);
    w->v[half * 3 + 1] = _mm512_and_si512(b, six);
    w->v[half * 3 + 2] = _mm512_and_si512(c, six);
    const __m512i ab =
        Select(two, _mm512_srli_epi16(a, 6), _mm512_srli_epi16(b, 4));
    w->v[6 + half] =
        _mm512_and_si512(Select(four, ab, _mm512_srli_epi16(c, 2)), six);
  }
}

template <Codes kCodes>
inline Vectors Unpack(const uint8_t* codes) {
  Vectors w;
  if constexpr (kCodes == Codes::k2Bit) UnpackPairs(codes, &w);
  if constexpr (kCodes == Codes::k3Bit) {
    UnpackPairs(codes, &w);
    AddTopBits<2>(LoadPlane(codes, 2), &w);
  }
  if constexpr (kCodes == Codes::k4Bit) UnpackNibbles(codes, &w);
  if constexpr (kCodes == Codes::k5Bit) {
    UnpackNibbles(codes, &w);
    AddTopBits<4>(LoadPlane(codes, 4), &w);
  }
  if constexpr (kCodes == Codes::k6Bit) UnpackSixBits(codes, &w);
  if constexpr (kCodes == Codes::k8Bit) {
#pragma GCC unroll 8
    for (int i = 0; i < kNumVectors; ++i) w.v[i] = LoadPlane(codes, i);
  }
  if constexpr (kCodes == Codes::kTable4) {
    UnpackNibbles(codes, &w);
    const __m512i table = _mm512_xor_si512(
        _mm512_broadcast_i32x4(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(kTable4Values))),
        _mm512_set1_epi8(-128));
#pragma GCC unroll 8
    for (int i = 0; i < kNumVectors; ++i)
      w.v[i] = _mm512_shuffle_epi8(table, w.v[i]);
  }
  return w;
}

inline __m512 LoadScales(const uint8_t* halves) {
  return _mm512_cvtph_ps(
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves)));
}

// What the bytes of sub-scales and sub-minima hold.
enum class Bytes { kSigned, kUnsigned, kLowNibble, kHighNibble };

template <Bytes kBytes>
inline __m512 LoadSubScales(const uint8_t* bytes) {
  __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
  if constexpr (kBytes == Bytes::kSigned)
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(packed));
  if constexpr (kBytes == Bytes::kHighNibble)
    packed = _mm_srli_epi16(packed, 4);
  if constexpr (kBytes != Bytes::kUnsigned)
    packed = _mm_and_si128(packed, _mm_set1_epi8(0x0f));
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(packed));
}

// The scales of one block.
struct BlockScales {
  __m512 scale,
      minimum;  // of the block, or of its header where there are two sub-scales
  __m512 sub_scale[2], sub_minimum[2];
};

template <int kLayout>
inline BlockScales ScalesOfBlock(const uint8_t* header, int block, __m512 scale,
                                 __m512 minimum) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  constexpr Bytes kScale = kL.has_nibble_scales() ? Bytes::kLowNibble
                           : kL.has_minima        ? Bytes::kUnsigned
                                                  : Bytes::kSigned;
  constexpr Bytes kMinimum =
      kL.has_nibble_scales() ? Bytes::kHighNibble : Bytes::kUnsigned;
  BlockScales s;
  s.scale = scale;
  s.minimum = minimum;
  const uint8_t* scales =
      header + kL.sub_scales_at() + block * kL.sub_scales * kGroupOutputs;
  const uint8_t* minima =
      header + kL.sub_minima_at() + block * kL.sub_scales * kGroupOutputs;
  if constexpr (kL.sub_scales == 1) {
    s.scale = _mm512_mul_ps(scale, LoadSubScales<kScale>(scales));
    if constexpr (kL.has_minima)
      s.minimum = _mm512_mul_ps(minimum, LoadSubScales<kMinimum>(minima));
  }
  if constexpr (kL.sub_scales == 2) {
    s.sub_scale[0] = LoadSubScales<kScale>(scales);
    s.sub_scale[1] = LoadSubScales<kScale>(scales + kGroupOutputs);
    if constexpr (kL.has_minima) {
      s.sub_minimum[0] = LoadSubScales<kMinimum>(minima);
      s.sub_minimum[1] = LoadSubScales<kMinimum>(minima + kGroupOutputs);
    }
  }
  return s;
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_UNPACK_AVX512_INL_H_
