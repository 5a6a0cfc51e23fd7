// One row of RmsNorm for each instruction set.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_RMS_NORM_KERNEL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_RMS_NORM_KERNEL_H_

#include <cstdint>

namespace specinfer::cpu {

// `out` may be `in`.
using RmsNormKernel = void(const float* in, const float* weight, int64_t width,
                           float epsilon, float* out);

RmsNormKernel RmsNormReference, RmsNormAvx2, RmsNormAvx512, RmsNormNeon;

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_RMS_NORM_KERNEL_H_
