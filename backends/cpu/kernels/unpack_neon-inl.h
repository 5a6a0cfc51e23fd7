// Unpacks four of a packed group's 16 outputs into NEON registers. Included by
// linear_neon.cc.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_UNPACK_NEON_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_UNPACK_NEON_INL_H_

#include "backends/cpu/kernels/pack.h"
#include "backends/cpu/kernels/vec16_neon.h"

namespace specinfer::cpu {
namespace {

// The weights of 32 inputs: byte 4·o + i of vector v is output o of four, input
// 4·v + i.
struct Vectors {
  int8x16_t v[kNumVectors];
};

// Quad `quad` (four outputs) of a plane of 64 bytes.
inline uint8x16_t LoadPlane(const uint8_t* codes, int plane, int quad) {
  return vld1q_u8(codes + plane * 64 + quad * 16);
}

inline uint8x16_t Masked(uint8x16_t a, uint8_t mask) {
  return vandq_u8(a, vdupq_n_u8(mask));
}

inline void UnpackNibbles(const uint8_t* codes, int quad, uint8x16_t* w) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const uint8x16_t plane = LoadPlane(codes, i, quad);
    w[i] = Masked(plane, 0x0f);
    w[4 + i] = vshrq_n_u8(plane, 4);
  }
}

inline void UnpackPairs(const uint8_t* codes, int quad, uint8x16_t* w) {
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const uint8x16_t plane = LoadPlane(codes, half, quad);
    w[half * 4] = Masked(plane, 3);
    w[half * 4 + 1] = Masked(vshrq_n_u8(plane, 2), 3);
    w[half * 4 + 2] = Masked(vshrq_n_u8(plane, 4), 3);
    w[half * 4 + 3] = vshrq_n_u8(plane, 6);
  }
}

// `w` with bit kTo of every byte from bit kFrom of `bits`.
template <int kFrom, int kTo>
inline uint8x16_t WithBit(uint8x16_t w, uint8x16_t bits) {
  if constexpr (kFrom < kTo) bits = vshlq_n_u8(bits, kTo - kFrom);
  if constexpr (kFrom > kTo) bits = vshrq_n_u8(bits, kFrom - kTo);
  return vbslq_u8(vdupq_n_u8(1 << kTo), bits, w);
}

// Adds bit i of `bits` to vector i, as bit kTo.
template <int kTo>
inline void AddTopBits(uint8x16_t bits, uint8x16_t* w) {
  w[0] = WithBit<0, kTo>(w[0], bits);
  w[1] = WithBit<1, kTo>(w[1], bits);
  w[2] = WithBit<2, kTo>(w[2], bits);
  w[3] = WithBit<3, kTo>(w[3], bits);
  w[4] = WithBit<4, kTo>(w[4], bits);
  w[5] = WithBit<5, kTo>(w[5], bits);
  w[6] = WithBit<6, kTo>(w[6], bits);
  w[7] = WithBit<7, kTo>(w[7], bits);
}

inline void UnpackSixBits(const uint8_t* codes, int quad, uint8x16_t* w) {
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const uint8x16_t a = LoadPlane(codes, half * 3, quad);
    const uint8x16_t b = LoadPlane(codes, half * 3 + 1, quad);
    const uint8x16_t c = LoadPlane(codes, half * 3 + 2, quad);
    w[half * 3] = Masked(a, 0x3f);
    w[half * 3 + 1] = Masked(b, 0x3f);
    w[half * 3 + 2] = Masked(c, 0x3f);
    // Each insertion replaces the bits below those that are kept.
    w[6 + half] = vsriq_n_u8(vsriq_n_u8(vshrq_n_u8(c, 2), b, 4), a, 6);
  }
}

// Weights without their offset of 4, 8, 16 or 32; an offset of 128 is taken
// off.
template <Codes kCodes>
inline Vectors Unpack(const uint8_t* codes, int quad) {
  uint8x16_t w[kNumVectors];
  if constexpr (kCodes == Codes::k2Bit) UnpackPairs(codes, quad, w);
  if constexpr (kCodes == Codes::k3Bit) {
    UnpackPairs(codes, quad, w);
    AddTopBits<2>(LoadPlane(codes, 2, quad), w);
  }
  if constexpr (kCodes == Codes::k4Bit || kCodes == Codes::kTable4)
    UnpackNibbles(codes, quad, w);
  if constexpr (kCodes == Codes::k5Bit) {
    UnpackNibbles(codes, quad, w);
    AddTopBits<4>(LoadPlane(codes, 4, quad), w);
  }
  if constexpr (kCodes == Codes::k6Bit) UnpackSixBits(codes, quad, w);
  Vectors signed_weights;
#pragma GCC unroll 8
  for (int i = 0; i < kNumVectors; ++i) {
    if constexpr (kCodes == Codes::kSigned8) w[i] = LoadPlane(codes, i, quad);
    if constexpr (kCodes == Codes::k8Bit) {
      w[i] = veorq_u8(LoadPlane(codes, i, quad), vdupq_n_u8(0x80));
    }
    signed_weights.v[i] = kCodes == Codes::kTable4
                              ? vqtbl1q_s8(vld1q_s8(kTable4Values), w[i])
                              : vreinterpretq_s8_u8(w[i]);
  }
  return signed_weights;
}

inline float32x4_t LoadScales(const uint8_t* halves, int quad) {
  return FourHalves(reinterpret_cast<const uint16_t*>(halves) + 4 * quad);
}

// ---- Whole scales and minima of a span, four outputs each -------------------

inline uint8x8_t LoadFourBytes(const uint8_t* bytes) {
  uint32_t four;
  __builtin_memcpy(&four, bytes, sizeof(four));
  return vreinterpret_u8_u32(vdup_n_u32(four));
}
inline int16x4_t WidenUnsigned(uint8x8_t bytes) {
  return vget_low_s16(vreinterpretq_s16_u16(vmovl_u8(bytes)));
}

// Sub-scale `index` of the span: of its 8 blocks, or of the 16 halves of them.
template <int kLayout>
inline int32x4_t SubScale(const uint8_t* header, int index, int quad) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const uint8x8_t bytes = LoadFourBytes(header + kL.sub_scales_at() +
                                        index * kGroupOutputs + 4 * quad);
  if constexpr (kL.has_nibble_scales())
    return vmovl_s16(WidenUnsigned(vand_u8(bytes, vdup_n_u8(0x0f))));
  if constexpr (kL.has_minima) return vmovl_s16(WidenUnsigned(bytes));
  return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(bytes))));
}

template <int kLayout>
inline int16x4_t SubMinimum(const uint8_t* header, int index, int quad) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const uint8x8_t bytes = LoadFourBytes(header + kL.sub_minima_at() +
                                        index * kGroupOutputs + 4 * quad);
  return WidenUnsigned(kL.has_nibble_scales() ? vshr_n_u8(bytes, 4) : bytes);
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_UNPACK_NEON_INL_H_
