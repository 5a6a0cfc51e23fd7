// GatedActivation over a run of values for each instruction set.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_GATED_ACTIVATION_KERNEL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_GATED_ACTIVATION_KERNEL_H_

#include <cstdint>

namespace specinfer::cpu {

// `out` may be `gate`. Without `up` (null): the activation alone.
using GatedActivationKernel = void(const float* gate, const float* up,
                                   int64_t count, float* out);

GatedActivationKernel GatedSiluReference, GatedSiluAvx2, GatedSiluAvx512,
    GatedSiluNeon;
GatedActivationKernel GatedGeluReference, GatedGeluAvx2, GatedGeluAvx512,
    GatedGeluNeon;
GatedActivationKernel GatedGeluTanhReference, GatedGeluTanhAvx2,
    GatedGeluTanhAvx512, GatedGeluTanhNeon;

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_GATED_ACTIVATION_KERNEL_H_
