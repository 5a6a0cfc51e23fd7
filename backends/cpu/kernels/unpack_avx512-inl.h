// Unpacks blocks of packed groups into AVX-512 registers. Included by
// linear_avx512.cc and linear_amx-inl.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_UNPACK_AVX512_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_UNPACK_AVX512_INL_H_

#include "backends/cpu/kernels/linear_kernel.h"
#include "backends/cpu/kernels/pack.h"
#include "backends/cpu/kernels/quantize_kernel.h"
#include "backends/cpu/kernels/vec16_avx512.h"

namespace specinfer::cpu {
namespace {

struct Vectors {
  __m512i v[kNumVectors];
};

inline void PrefetchLines(const uint8_t* bytes, int num_bytes,
                          PrefetchAhead ahead) {
  const char* const at = reinterpret_cast<const char*>(bytes);
#pragma GCC unroll 8
  for (int line = 0; line < num_bytes; line += 64)
    _mm_prefetch(at + ahead.first_cache + line, _MM_HINT_T0);
  if (ahead.second_cache == 0) return;
#pragma GCC unroll 8
  for (int line = 0; line < num_bytes; line += 64)
    _mm_prefetch(at + ahead.second_cache + line, _MM_HINT_T1);
}

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
  if constexpr (kCodes == Codes::kSigned8) {
#pragma GCC unroll 8
    for (int i = 0; i < kNumVectors; ++i)
      w.v[i] = _mm512_xor_si512(LoadPlane(codes, i), _mm512_set1_epi8(-128));
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

// ---- Whole scales and minima of a span, 16 outputs each ---------------------

template <int kLayout>
inline const uint8_t* SubScaleBytes(const uint8_t* header, int index) {
  return header + kPackedLayouts[kLayout].sub_scales_at() +
         index * kGroupOutputs;
}

// Sub-scale `index` of the span, in 32 bits: of its 8 blocks, or of the 16
// halves of them.
template <int kLayout>
inline __m512i SubScale(const uint8_t* header, int index) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const __m128i bytes = _mm_loadu_si128(
      reinterpret_cast<const __m128i*>(SubScaleBytes<kLayout>(header, index)));
  if constexpr (kL.has_nibble_scales())
    return _mm512_cvtepu8_epi32(_mm_and_si128(bytes, _mm_set1_epi8(0x0f)));
  return kL.has_minima ? _mm512_cvtepu8_epi32(bytes)
                       : _mm512_cvtepi8_epi32(bytes);
}

template <int kLayout>
inline __m512i SubMinimum(const uint8_t* header, int index) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  if constexpr (kL.has_nibble_scales()) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(
        SubScaleBytes<kLayout>(header, index)));
    return _mm512_cvtepu8_epi32(
        _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(0x0f)));
  }
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(
      header + kL.sub_minima_at() + index * kGroupOutputs)));
}

// Two whole numbers of 16 bits in each lane, `first` in the low half: what
// vpdpwssd multiplies.
inline __m512i PairUp(__m512i first, __m512i second) {
  return _mm512_mask_mov_epi16(first, 0xaaaaaaaau,
                               _mm512_slli_epi32(second, 16));
}

// Pair `index` of sub-minima: of two blocks, or of the two halves of one.
template <int kLayout>
inline __m512i SubMinimumPair(const uint8_t* header, int index) {
  return PairUp(SubMinimum<kLayout>(header, 2 * index),
                SubMinimum<kLayout>(header, 2 * index + 1));
}

// How many such pairs a span has, and their activations' sums.
template <int kLayout>
constexpr int NumPairs() {
  return 4 * kPackedLayouts[kLayout].sub_scales;
}
template <int kLayout>
inline const int16_t* PairSums(const ActivationSpan& x) {
  return kPackedLayouts[kLayout].sub_scales == 2 ? x.sums : x.pair_sums;
}

inline __m512i Broadcast4Bytes(const void* bytes) {
  int32_t four;
  __builtin_memcpy(&four, bytes, 4);
  return _mm512_set1_epi32(four);
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_UNPACK_AVX512_INL_H_
