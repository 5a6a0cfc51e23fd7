// Random numbers for drafts that are sampled and for their verifier. Every
// decision has a counter of its own, and none is one of the Gumbel noise's.
#ifndef SPECINFER_SRC_SPECULATE_DRAW_KEY_H_
#define SPECINFER_SRC_SPECULATE_DRAW_KEY_H_

#include <array>
#include <cstdint>

#include "src/backend/noise.h"

namespace specinfer {

// What a number decides. The Gumbel noise of noise.h counts quads of tokens
// below 2^29; a purpose fills the three bits above them.
enum class DrawPurpose : uint32_t {
  kTarget = 1,  // the token after a refusal, or at a leaf
  kDraft = 2,   // a draft's children
  kAccept = 3,  // whether a child is accepted
};

inline constexpr uint32_t kMaxDrawIndex = (1u << 29) - 1;

// REQUIRES: index <= kMaxDrawIndex.
inline std::array<uint32_t, 4> DrawBits(const NoiseKey& key,
                                        DrawPurpose purpose, uint32_t index) {
  return NoiseBits(key, static_cast<uint32_t>(purpose) << 29 | index);
}

// Uniform in [0, 1), a multiple of 2^-53.
inline double UniformDraw(const NoiseKey& key, DrawPurpose purpose,
                          uint32_t index) {
  const std::array<uint32_t, 4> bits = DrawBits(key, purpose, index);
  const uint64_t mantissa = (uint64_t{bits[0]} << 21) ^ (bits[1] >> 11);
  return static_cast<double>(mantissa) * 0x1p-53;
}

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_DRAW_KEY_H_
