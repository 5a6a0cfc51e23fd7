// RopeAndStore over Vec16. Included by rope_and_store_<isa>.cc after
// vec16_<isa>.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_ROPE_AND_STORE_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_ROPE_AND_STORE_INL_H_

namespace specinfer::cpu {
namespace {

// `count` pairs, 0 < count <= 16, of adjacent values.
inline void LoadPairs(const float* p, int count, Vec16* first, Vec16* second) {
  const int num_floats = 2 * count;
  const Vec16 low = num_floats >= 16 ? Load(p) : LoadFirst(p, num_floats);
  const Vec16 high = num_floats == 32  ? Load(p + 16)
                     : num_floats > 16 ? LoadFirst(p + 16, num_floats - 16)
                                       : Zero();
  Deinterleave(low, high, first, second);
}

inline void StorePairs(float* p, int count, Vec16 first, Vec16 second) {
  const int num_floats = 2 * count;
  Vec16 low = Zero(), high = Zero();
  Interleave(first, second, &low, &high);
  StoreFirst(p, low, num_floats < 16 ? num_floats : 16);
  if (num_floats > 16) StoreFirst(p + 16, high, num_floats - 16);
}

inline void Turn(Vec16 cosine, Vec16 sine, Vec16* first, Vec16* second) {
  const Vec16 a = *first;
  const Vec16 b = *second;
  *first = FmaMinus(a, cosine, Multiply(b, sine));
  *second = Fma(a, sine, Multiply(b, cosine));
}

inline void TurnHalves(float* head, const float* cos_sin, int num_pairs) {
  for (int i = 0; i < num_pairs; i += 16) {
    const int count = num_pairs - i < 16 ? num_pairs - i : 16;
    float* second_half = head + num_pairs + i;
    Vec16 cosine = Zero(), sine = Zero();
    LoadPairs(cos_sin + 2 * i, count, &cosine, &sine);
    Vec16 a = LoadFirst(head + i, count);
    Vec16 b = LoadFirst(second_half, count);
    Turn(cosine, sine, &a, &b);
    StoreFirst(head + i, a, count);
    StoreFirst(second_half, b, count);
  }
}

inline void TurnAdjacent(float* head, const float* cos_sin, int num_pairs) {
  for (int i = 0; i < num_pairs; i += 16) {
    const int count = num_pairs - i < 16 ? num_pairs - i : 16;
    Vec16 cosine = Zero(), sine = Zero(), a = Zero(), b = Zero();
    LoadPairs(cos_sin + 2 * i, count, &cosine, &sine);
    LoadPairs(head + 2 * i, count, &a, &b);
    Turn(cosine, sine, &a, &b);
    StorePairs(head + 2 * i, count, a, b);
  }
}

inline void StoreF16(const float* key, const float* value, int head_dim,
                     int lane, uint8_t* head) {
  constexpr int kPositions = 64;
  auto* keys = reinterpret_cast<uint16_t*>(head) + lane;
  uint16_t* values =
      reinterpret_cast<uint16_t*>(head) + (kPositions + lane) * head_dim;
  for (int i = 0; i < head_dim; i += 16) {
    const int count = head_dim - i < 16 ? head_dim - i : 16;
    StoreFirstHalves(values + i, LoadFirst(value + i, count), count);
    alignas(32) uint16_t halves[16];
    StoreHalves(halves, LoadFirst(key + i, count));
    for (int d = 0; d < count; ++d) keys[(i + d) * kPositions] = halves[d];
  }
}

// A scale as a half float; `scale` becomes what that says. By whole vectors: a
// wide load of what a narrow store has just written would wait for it.
inline uint16_t RoundScale(float* scale) {
  alignas(32) uint16_t halves[16];
  StoreHalves(halves,
              Broadcast(*scale < kGreatestHalf ? *scale : kGreatestHalf));
  alignas(64) float lanes[16];
  Store(lanes, LoadHalves(halves));
  *scale = lanes[0];
  return halves[0];
}

inline void StoreQ8(const float* key, const float* value, int head_dim,
                    int lane, uint8_t* head) {
  const Q8Layout layout(head_dim);
  alignas(64) int8_t codes[kScaleDims];
  alignas(64) float turned[kMaxHeadDims];
  TurnHead(key, head_dim, turned);
  for (int block = 0; block < layout.num_scales(); ++block) {
    const float* x = turned + block * kScaleDims;
    float scale = FindGreatest(x, kScaleDims) / kGreatestCode;
    const uint16_t half = RoundScale(&scale);
    __builtin_memcpy(head + layout.key_scale(block, lane), &half, 2);
    QuantizeFloats(x, kScaleDims, scale > 0.0f ? 1.0f / scale : 0.0f, codes);
    for (int quad = 0; quad < kScaleDims / 4; ++quad) {
      __builtin_memcpy(
          head + layout.key_quad(block * (kScaleDims / 4) + quad, lane),
          codes + 4 * quad, 4);
    }
  }
  float scale = FindGreatest(value, head_dim) / kGreatestCode;
  const uint16_t half = RoundScale(&scale);
  __builtin_memcpy(head + layout.value_scale(lane), &half, 2);
  const float inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
  for (int first = 0; first < layout.dims; first += kScaleDims) {
    const int left = head_dim - first;
    QuantizeFloats(value + first, left < kScaleDims ? left : kScaleDims,
                   inverse, codes);
    for (int group = 0; group < kScaleDims; group += 16) {
      uint8_t* to = head + layout.value(first + group, lane);
      for (int d = 0; d < 16; ++d)
        to[4 * d] = static_cast<uint8_t>(codes[group + d]);
    }
  }
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_ROPE_AND_STORE_INL_H_
