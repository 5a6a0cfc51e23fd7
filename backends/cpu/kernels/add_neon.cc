#include "backends/cpu/kernels/add_kernel.h"
#include "backends/cpu/kernels/vec16_neon.h"
// Over the lanes above:
#include "backends/cpu/kernels/add-inl.h"

namespace specinfer::cpu {

void AddNeon(float* sum, const float* addend, int64_t count) {
  AddRun(sum, addend, count);
}

}  // namespace specinfer::cpu
