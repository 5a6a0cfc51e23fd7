#include <cmath>

#include "backends/cpu/kernels/rms_norm_kernel.h"
#include "backends/cpu/reference/lanes.h"

namespace specinfer::cpu {

void RmsNormReference(const float* in, const float* weight, int64_t width,
                      float epsilon, float* out) {
  float lanes[kLanes] = {};
  for (int64_t i = 0; i < width; ++i)
    lanes[i % kLanes] = std::fmaf(in[i], in[i], lanes[i % kLanes]);
  const float inverse =
      1.0f / std::sqrt(SumLanes(lanes) / static_cast<float>(width) + epsilon);
  for (int64_t i = 0; i < width; ++i) out[i] = (in[i] * inverse) * weight[i];
}

}  // namespace specinfer::cpu
