#include "backends/cpu/kernels/add_kernel.h"

namespace specinfer::cpu {

void AddReference(float* sum, const float* addend, int64_t count) {
  for (int64_t i = 0; i < count; ++i) sum[i] = sum[i] + addend[i];
}

}  // namespace specinfer::cpu
