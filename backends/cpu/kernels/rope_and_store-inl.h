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

inline void StoreKeyAndValue(const float* key, const float* value, int head_dim,
                             uint16_t* key_column, uint16_t* value_row) {
  constexpr int kPagePositions = 64;
  for (int i = 0; i < head_dim; i += 16) {
    const int count = head_dim - i < 16 ? head_dim - i : 16;
    StoreFirstHalves(value_row + i, LoadFirst(value + i, count), count);
    alignas(32) uint16_t halves[16];
    StoreHalves(halves, LoadFirst(key + i, count));
    for (int d = 0; d < count; ++d)
      key_column[(i + d) * kPagePositions] = halves[d];
  }
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_ROPE_AND_STORE_INL_H_
