// Passes over one chunk of logits for each instruction set. Chunks are whole
// vectors of 16; what lies past the vocabulary is -infinity.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_HEAD_KERNEL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_HEAD_KERNEL_H_

#include <cstdint>

namespace specinfer::cpu {

struct HeadKernels {
  // logit = multiplier · logit, then soft_cap · tanh(logit / soft_cap) unless
  // soft_cap is 0, then made finite: NaN becomes the lowest float.
  void (*finish_logits)(float* logits, int64_t count, float multiplier,
                        float soft_cap);
  float (*greatest)(const float* logits, int64_t count);
  // Σ exp(logit - greatest): in 16 lanes, then the fixed tree.
  float (*sum_of_exp)(const float* logits, int64_t count, float greatest);
  // The first index >= `from` with logit · scale + addend >= bound, or `count`.
  // `from` is any index.
  int64_t (*find_at_least)(const float* logits, int64_t count, int64_t from,
                           float scale, float addend, float bound);
};

extern const HeadKernels kHeadReference, kHeadAvx2, kHeadAvx512, kHeadNeon;

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_HEAD_KERNEL_H_
