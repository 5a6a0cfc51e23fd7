#include "backends/cpu/kernels/layer_norm_kernel.h"
#include "backends/cpu/kernels/vec16_avx2.h"
// Over the lanes above:
#include "backends/cpu/kernels/layer_norm-inl.h"

namespace specinfer::cpu {

void LayerNormAvx2(const float* in, const float* weight, const float* bias,
                   int64_t width, float epsilon, float* out) {
  CentreAndScaleRow(in, weight, bias, width, epsilon, out);
}

}  // namespace specinfer::cpu
