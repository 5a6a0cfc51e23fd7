#include "backends/cpu/kernels/gated_activation_kernel.h"
#include "backends/cpu/kernels/vec16_neon.h"
// Over the lanes above:
#include "backends/cpu/kernels/gated_activation-inl.h"

namespace specinfer::cpu {

void GatedSiluNeon(const float* gate, const float* up, int64_t count,
                   float* out) {
  ActivateAndGate<Silu>(gate, up, count, out);
}

void GatedGeluTanhNeon(const float* gate, const float* up, int64_t count,
                       float* out) {
  ActivateAndGate<GeluTanh>(gate, up, count, out);
}

void GatedGeluNeon(const float* gate, const float* up, int64_t count,
                   float* out) {
  ActivateAndGate<Gelu>(gate, up, count, out);
}

}  // namespace specinfer::cpu
