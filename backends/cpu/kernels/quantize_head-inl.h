// Keys, values and queries as bytes, over Vec16. Included after vec16_<isa>.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_QUANTIZE_HEAD_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_QUANTIZE_HEAD_INL_H_

#include "backends/cpu/kernels/q8_layout.h"

namespace specinfer::cpu {
namespace {

// The greatest magnitude; NaN is passed over.
inline float FindGreatest(const float* x, int count) {
  Vec16 greatest = Zero();
  for (int i = 0; i < count; i += 16) {
    const int left = count - i;
    greatest = Max(Absolute(left >= 16 ? Load(x + i) : LoadFirst(x + i, left)),
                   greatest);
  }
  return Maximum(greatest);
}

// 32 codes, of which the first `count` are of `x` and the rest 0. NaN counts as
// the lowest.
inline void QuantizeFloats(const float* x, int count, float inverse,
                           int8_t codes[kScaleDims]) {
  const Vec16 lowest = Broadcast(-kGreatestCode);
  for (int i = 0; i < kScaleDims; i += 16) {
    const int left = count - i;
    const Vec16 in = left >= 16  ? Load(x + i)
                     : left <= 0 ? Zero()
                                 : LoadFirst(x + i, left);
    const Vec16 rounded = RoundToNearest(Multiply(in, Broadcast(inverse)));
    const Vec16 code = Negate(Max(Negate(Max(rounded, lowest)), lowest));
    StoreCodes(codes + i, RoundToInts(code));
  }
}

// One block of 16 · kVectors dimensions at `in`, in registers.
template <int kVectors>
inline void TurnVectors(const float* in, float* turned) {
  Vec16 x[kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kVectors; ++i) x[i] = Load(in + 16 * i);
  for (int step = 1; step < 16 * kVectors; step *= 2) {
    Vec16 next[kVectors];
#pragma GCC unroll 8
    for (int i = 0; i < kVectors / 2; ++i) {
      Vec16 even = Zero(), odd = Zero();
      Deinterleave(x[2 * i], x[2 * i + 1], &even, &odd);
      next[i] = Add(even, odd);
      next[kVectors / 2 + i] = Subtract(even, odd);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; ++i) x[i] = next[i];
  }
#pragma GCC unroll 8
  for (int i = 0; i < kVectors; ++i) Store(turned + 16 * i, x[i]);
}

// Turns a head by a Hadamard matrix, times the root of its width: products of
// two turned heads are their products times `turned_dims`. An outlier is spread
// over all dimensions, where it would else take the others' precision. `turned`
// has `dims` values.
inline void TurnHead(const float* head, int head_dim, float* turned) {
  const Q8Layout layout(head_dim);
  const int width = layout.turned_dims();
  if (head_dim == 64) return TurnVectors<4>(head, turned);
  if (head_dim == 128) return TurnVectors<8>(head, turned);
  alignas(64) float buffers[2][kMaxHeadDims];
  for (int first = 0; first < layout.dims; first += width) {
    float* in = buffers[0];
    float* out = buffers[1];
    for (int i = 0; i < width; i += 16) {
      const int left = head_dim - first - i;
      const float* p = head + first + i;
      Store(in + i, left >= 16  ? Load(p)
                    : left <= 0 ? Zero()
                                : LoadFirst(p, left));
    }
    for (int step = 1; step < width; step *= 2) {
      for (int i = 0; i < width; i += 32) {
        Vec16 even = Zero(), odd = Zero();
        Deinterleave(Load(in + i), Load(in + i + 16), &even, &odd);
        Store(out + i / 2, Add(even, odd));
        Store(out + width / 2 + i / 2, Subtract(even, odd));
      }
      float* other = in;
      in = out;
      out = other;
    }
    for (int i = 0; i < width; i += 16) Store(turned + first + i, Load(in + i));
  }
}

// Turned dimensions of a query as codes, and a scale and the sum of each 32 of
// them. The scales undo the width of the turn.
inline void QuantizeTurned(const float* turned, const Q8Layout& layout,
                           int first_scale, int num_scales, int8_t* codes,
                           float* scales, int32_t* sums) {
  const float inverse_width = 1.0f / static_cast<float>(layout.turned_dims());
  for (int b = 0; b < num_scales; ++b, codes += kScaleDims) {
    const float* x = turned + (first_scale + b) * kScaleDims;
    const float greatest = FindGreatest(x, kScaleDims);
    scales[b] = greatest / kGreatestCode * inverse_width;
    QuantizeFloats(x, kScaleDims,
                   greatest > 0.0f ? kGreatestCode / greatest : 0.0f, codes);
    int32_t sum = 0;  // not in memory, which bytes may share
    for (int i = 0; i < kScaleDims; ++i) sum += codes[i];
    sums[b] = sum;
  }
}

inline void QuantizeQuery(const float* query, int head_dim, int8_t* codes,
                          float* scales, int32_t* sums) {
  const Q8Layout layout(head_dim);
  alignas(64) float turned[kMaxHeadDims];
  TurnHead(query, head_dim, turned);
  QuantizeTurned(turned, layout, 0, layout.num_scales(), codes, scales, sums);
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_QUANTIZE_HEAD_INL_H_
