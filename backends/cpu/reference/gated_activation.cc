#include <cmath>

#include "backends/cpu/kernels/gated_activation_kernel.h"
#include "backends/cpu/reference/tanh.h"

namespace specinfer::cpu {

void GatedSiluReference(const float* gate, const float* up, int64_t count,
                        float* out) {
  for (int64_t i = 0; i < count; ++i)
    out[i] = (gate[i] / (1.0f + Exp(-gate[i]))) * up[i];
}

void GatedGeluReference(const float* gate, const float* up, int64_t count,
                        float* out) {
  for (int64_t i = 0; i < count; ++i) {
    const float x = gate[i];
    const float inner = 0.797884560802865356f *
                        std::fmaf(0.044715f, (x * x) * x, x);  // sqrt(2 / pi)
    out[i] = ((0.5f * x) * (1.0f + Tanh(inner))) * up[i];
  }
}

}  // namespace specinfer::cpu
