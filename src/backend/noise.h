// Gumbel noise that belongs to (seed, stream, position, token): whoever asks,
// and whenever, gets the same number.
#ifndef SPECINFER_SRC_BACKEND_NOISE_H_
#define SPECINFER_SRC_BACKEND_NOISE_H_

#include <array>
#include <bit>
#include <cstdint>

#include "src/backend/stream.h"
#include "src/base/random.h"
#include "src/base/scalar_math.h"

namespace specinfer {

// The random bits of tokens 4 · quad … 4 · quad + 3.
inline std::array<uint32_t, 4> NoiseBits(const NoiseKey& key, uint32_t quad) {
  return Philox(key.seed, {quad, static_cast<uint32_t>(key.position),
                           static_cast<uint32_t>(key.stream),
                           static_cast<uint32_t>(key.stream >> 32)});
}

// -ln(1 - w) for w = (bits + 0.5) / 2^32. Precise near 0, so that the least of
// 200,000 tokens' is as small as it should be.
inline float ExponentialNoise(uint32_t bits) {
  if (bits < 0x80000000u) {
    const float w = (static_cast<float>(bits) + 0.5f) * 0x1p-32f;
    const float s = w / (2.0f - w);
    const float z = s * s;
    float p = 2.0f / 15.0f;  // 2 · artanh(s)
    p = std::fmaf(p, z, 2.0f / 13.0f);
    p = std::fmaf(p, z, 2.0f / 11.0f);
    p = std::fmaf(p, z, 2.0f / 9.0f);
    p = std::fmaf(p, z, 2.0f / 7.0f);
    p = std::fmaf(p, z, 2.0f / 5.0f);
    p = std::fmaf(p, z, 2.0f / 3.0f);
    p = std::fmaf(p, z, 2.0f);
    return s * p;
  }
  return -Log((static_cast<float>(~bits) + 0.5f) * 0x1p-32f);
}

// -ln(-ln(1 - w)) of the same w.
inline float GumbelNoise(uint32_t bits) { return -Log(ExponentialNoise(bits)); }

// At least GumbelNoise of these bits, and cheap.
inline float GumbelNoiseBound(uint32_t bits) {
  return 0.69315f * static_cast<float>(std::countl_zero(bits) + 1) + 1e-3f;
}

// At least GumbelNoise of any bits.
inline constexpr float kMaxGumbelNoise = 0.69315f * 33.0f + 1e-3f;

inline float GumbelNoise(const NoiseKey& key, Token token) {
  const uint32_t id = static_cast<uint32_t>(token);
  return GumbelNoise(NoiseBits(key, id / 4)[id % 4]);
}

}  // namespace specinfer

#endif  // SPECINFER_SRC_BACKEND_NOISE_H_
