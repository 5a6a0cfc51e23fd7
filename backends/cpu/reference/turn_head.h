// Turns a key or a query for a q8 cache, in plain loops.
#ifndef SPECINFER_BACKENDS_CPU_REFERENCE_TURN_HEAD_H_
#define SPECINFER_BACKENDS_CPU_REFERENCE_TURN_HEAD_H_

#include <algorithm>

#include "backends/cpu/kernels/q8_layout.h"

namespace specinfer::cpu {

struct TurnedHead {
  float values[kMaxHeadDims] = {};
};

// Each step puts the sums of neighbours into the first half of a block and
// their differences into the second.
inline TurnedHead TurnHeadReference(const float* head, int head_dim) {
  const Q8Layout layout(head_dim);
  const int width = layout.turned_dims();
  TurnedHead turned;
  std::copy_n(head, head_dim, turned.values);
  for (int first = 0; first < layout.dims; first += width) {
    float* block = turned.values + first;
    for (int step = 1; step < width; step *= 2) {
      float before[kMaxHeadDims];
      std::copy_n(block, width, before);
      for (int i = 0; i < width / 2; ++i) {
        block[i] = before[2 * i] + before[2 * i + 1];
        block[width / 2 + i] = before[2 * i] - before[2 * i + 1];
      }
    }
  }
  return turned;
}

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_REFERENCE_TURN_HEAD_H_
