// One row of LayerNorm for each instruction set.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_LAYER_NORM_KERNEL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_LAYER_NORM_KERNEL_H_

#include <cstdint>

namespace specinfer::cpu {

// `out` may be `in`.
using LayerNormKernel = void(const float* in, const float* weight,
                             const float* bias, int64_t width, float epsilon,
                             float* out);

LayerNormKernel LayerNormReference, LayerNormAvx2, LayerNormAvx512,
    LayerNormNeon;

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_LAYER_NORM_KERNEL_H_
