// Add over a run of values for each instruction set.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_ADD_KERNEL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_ADD_KERNEL_H_

#include <cstdint>

namespace specinfer::cpu {

using AddKernel = void(float* sum, const float* addend, int64_t count);

AddKernel AddReference, AddAvx2, AddAvx512, AddNeon;

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_ADD_KERNEL_H_
