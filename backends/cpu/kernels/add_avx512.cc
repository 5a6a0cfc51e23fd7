#include "backends/cpu/kernels/add_kernel.h"
#include "backends/cpu/kernels/vec16_avx512.h"
// Over the lanes above:
#include "backends/cpu/kernels/add-inl.h"

namespace specinfer::cpu {

void AddAvx512(float* sum, const float* addend, int64_t count) {
  AddRun(sum, addend, count);
}

}  // namespace specinfer::cpu
