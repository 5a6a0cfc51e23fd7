#include <algorithm>
#include <limits>

#include "backends/cpu/kernels/head_kernel.h"
#include "backends/cpu/reference/lanes.h"
#include "backends/cpu/reference/tanh.h"
#include "src/base/scalar_math.h"

namespace specinfer::cpu {
namespace {

constexpr float kGreatestFloat = std::numeric_limits<float>::max();

void FinishLogits(float* logits, int64_t count, float multiplier,
                  float soft_cap) {
  for (int64_t i = 0; i < count; ++i) {
    float logit = logits[i] * multiplier;
    if (soft_cap != 0.0f) logit = soft_cap * Tanh(logit / soft_cap);
    logits[i] = logit >= -kGreatestFloat ? std::min(logit, kGreatestFloat)
                                         : -kGreatestFloat;
  }
}

float Greatest(const float* logits, int64_t count) {
  float greatest = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < count; ++i) greatest = std::max(greatest, logits[i]);
  return greatest;
}

float SumOfExp(const float* logits, int64_t count, float greatest) {
  float lanes[kLanes] = {};
  for (int64_t i = 0; i < count; ++i)
    lanes[i % kLanes] += Exp(logits[i] - greatest);
  return SumLanes(lanes);
}

int64_t FindAtLeast(const float* logits, int64_t count, int64_t from,
                    float scale, float addend, float bound) {
  while (from < count && !(logits[from] * scale + addend >= bound)) ++from;
  return from;
}

}  // namespace

const HeadKernels kHeadReference = {&FinishLogits, &Greatest, &SumOfExp,
                                    &FindAtLeast};

}  // namespace specinfer::cpu
