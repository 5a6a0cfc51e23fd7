#include <cmath>

#include "backends/cpu/kernels/layer_norm_kernel.h"
#include "backends/cpu/reference/lanes.h"

namespace specinfer::cpu {

void LayerNormReference(const float* in, const float* weight, const float* bias,
                        int64_t width, float epsilon, float* out) {
  float sums[kLanes] = {};
  for (int64_t i = 0; i < width; ++i)
    sums[i % kLanes] = sums[i % kLanes] + in[i];
  const float mean = SumLanes(sums) / static_cast<float>(width);
  float squares[kLanes] = {};
  for (int64_t i = 0; i < width; ++i) {
    const float distance = in[i] - mean;
    out[i] = distance;
    squares[i % kLanes] = std::fmaf(distance, distance, squares[i % kLanes]);
  }
  const float inverse =
      1.0f / std::sqrt(SumLanes(squares) / static_cast<float>(width) + epsilon);
  for (int64_t i = 0; i < width; ++i)
    out[i] = std::fmaf(out[i] * inverse, weight[i], bias[i]);
}

}  // namespace specinfer::cpu
