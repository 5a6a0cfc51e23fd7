// The linear kernels for AMX, with its instructions emulated.
#ifndef SPECINFER_TESTS_BACKEND_LINEAR_EMULATED_H_
#define SPECINFER_TESTS_BACKEND_LINEAR_EMULATED_H_

#include "backends/cpu/kernels/linear_kernel.h"

namespace specinfer::cpu {

// Needs AVX-512. Null for float weights.
LinearKernel* FindLinearEmulated(DType dtype);

}  // namespace specinfer::cpu

#endif  // SPECINFER_TESTS_BACKEND_LINEAR_EMULATED_H_
