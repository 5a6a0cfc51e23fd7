#include "backends/cpu/kernels/rms_norm_kernel.h"
#include "backends/cpu/kernels/vec16_neon.h"
// Over the lanes above:
#include "backends/cpu/kernels/rms_norm-inl.h"

namespace specinfer::cpu {

void RmsNormNeon(const float* in, const float* weight, int64_t width,
                 float epsilon, float* out) {
  NormalizeRow(in, weight, width, epsilon, out);
}

}  // namespace specinfer::cpu
