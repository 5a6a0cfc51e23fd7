// Where the codes and scales of one KV head of one layer lie in a q8 page; see
// src/backend/stream.h. Everything is in an unnamed namespace, so that kernels
// of any instruction set may include it.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_Q8_LAYOUT_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_Q8_LAYOUT_H_

#include <cstdint>

namespace specinfer::cpu {
namespace {

inline constexpr int kScaleDims = 32;  // of a key, or a query, share a scale
inline constexpr int kMaxHeadDims = 1024;
inline constexpr float kGreatestCode = 127.0f;
inline constexpr float kGreatestHalf = 65504.0f;
// Weights of values are quantised to two halves of seven bits, so that a pair
// of products of a half stays below 2^15.
inline constexpr int kWeightHalfBits = 7;
inline constexpr float kGreatestWeight = 16383.0f;
// Below this, the weighted values of a block are nothing.
inline constexpr float kLeastWeight = 0x1p-100f;

struct Q8Layout {
  static constexpr int kPositions = 64;

  explicit constexpr Q8Layout(int head_dim)
      : dims((head_dim + kScaleDims - 1) / kScaleDims * kScaleDims),
        values(int64_t{dims} * kPositions),
        key_scales(2 * values),
        value_scales(key_scales + int64_t{dims} / kScaleDims * kPositions * 2),
        num_bytes(value_scales + kPositions * 2) {}

  constexpr int num_scales() const { return dims / kScaleDims; }

  // Keys and queries are turned in blocks of this many dimensions: the greatest
  // power of two that divides them.
  constexpr int turned_dims() const { return dims & -dims; }

  // Offsets in bytes from the start of the head. Of a position's dimensions 4 ·
  // quad to 4 · quad + 3:
  constexpr int64_t key_quad(int quad, int lane) const {
    return (int64_t{lane / 16} * (dims / 4) + quad) * 64 + lane % 16 * 4;
  }
  constexpr int64_t value(int d, int lane) const {
    return values + (int64_t{d / 16} * 16 + lane / 4) * 64 + d % 16 * 4 +
           lane % 4;
  }
  constexpr int64_t key_scale(int block, int lane) const {
    return key_scales + (int64_t{block} * kPositions + lane) * 2;
  }
  constexpr int64_t value_scale(int lane) const {
    return value_scales + int64_t{lane} * 2;
  }

  int dims;  // head_dim rounded up
  int64_t values;
  int64_t key_scales;
  int64_t value_scales;
  int64_t num_bytes;
};

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_Q8_LAYOUT_H_
