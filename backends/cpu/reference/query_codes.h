// Quantises a query for a q8 cache, in plain loops.
#ifndef SPECINFER_BACKENDS_CPU_REFERENCE_QUERY_CODES_H_
#define SPECINFER_BACKENDS_CPU_REFERENCE_QUERY_CODES_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "backends/cpu/kernels/q8_layout.h"
#include "backends/cpu/reference/turn_head.h"

namespace specinfer::cpu {

// A query as bytes, 32 of them to a scale.
struct QueryCodes {
  int8_t codes[kMaxHeadDims] = {};
  float scales[kMaxHeadDims / kScaleDims] = {};
};

inline QueryCodes QuantizeQueryReference(const float* query, int head_dim) {
  const Q8Layout layout(head_dim);
  const TurnedHead turned = TurnHeadReference(query, head_dim);
  QueryCodes result;
  for (int block = 0; block < layout.num_scales(); ++block) {
    const float* x = turned.values + block * kScaleDims;
    float greatest = 0.0f;
    for (int d = 0; d < kScaleDims; ++d)
      greatest = std::fabs(x[d]) > greatest ? std::fabs(x[d]) : greatest;
    const float inverse = greatest > 0.0f ? kGreatestCode / greatest : 0.0f;
    result.scales[block] = greatest / kGreatestCode *
                           (1.0f / static_cast<float>(layout.turned_dims()));
    for (int d = 0; d < kScaleDims; ++d) {
      const float code = std::nearbyintf(x[d] * inverse);
      result.codes[block * kScaleDims + d] = static_cast<int8_t>(
          code > -kGreatestCode ? std::min(code, kGreatestCode)
                                : -kGreatestCode);
    }
  }
  return result;
}

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_REFERENCE_QUERY_CODES_H_
