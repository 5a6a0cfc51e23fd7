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

// 32 codes, of which the first `count` are of `x` and the rest 0. NaN becomes
// 0.
inline void QuantizeFloats(const float* x, int count, float inverse,
                           int8_t codes[kScaleDims]) {
  for (int i = 0; i < kScaleDims; i += 16) {
    const int left = count - i;
    const Vec16 in = left >= 16  ? Load(x + i)
                     : left <= 0 ? Zero()
                                 : LoadFirst(x + i, left);
    const Vec16 scaled = Multiply(in, Broadcast(inverse));
    alignas(64) float lanes[16];
    Store(lanes, RoundToNearest(scaled));
    for (int lane = 0; lane < 16; ++lane) {
      const float code = lanes[lane];
      codes[i + lane] = static_cast<int8_t>(
          code >= kGreatestCode     ? kGreatestCode
          : code <= -kGreatestCode ? -kGreatestCode
          : code == code           ? code
                                   : 0.0f);
    }
  }
}

// A query: its codes, and a scale and the sum of each 32 of them.
inline void QuantizeQuery(const float* query, int head_dim, int8_t* codes,
                          float* scales, int32_t* sums) {
  for (int first = 0; first < head_dim;
       first += kScaleDims, codes += kScaleDims, ++scales, ++sums) {
    const int left = head_dim - first;
    const int count = left < kScaleDims ? left : kScaleDims;
    const float greatest = FindGreatest(query + first, count);
    *scales = greatest / kGreatestCode;
    QuantizeFloats(query + first, count,
                   greatest > 0.0f ? kGreatestCode / greatest : 0.0f, codes);
    *sums = 0;
    for (int i = 0; i < kScaleDims; ++i) *sums += codes[i];
  }
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_QUANTIZE_HEAD_INL_H_
