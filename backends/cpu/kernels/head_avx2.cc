#include "backends/cpu/kernels/head_kernel.h"
#include "backends/cpu/kernels/vec16_avx2.h"

namespace specinfer::cpu {
namespace {

// Bit i is set where lane i of a is at least that of b.
inline uint32_t AtLeast(Vec16 a, Vec16 b) {
  const int low = _mm256_movemask_ps(_mm256_cmp_ps(a.low, b.low, _CMP_GE_OQ));
  const int high =
      _mm256_movemask_ps(_mm256_cmp_ps(a.high, b.high, _CMP_GE_OQ));
  return static_cast<uint32_t>(low | high << 8);
}

}  // namespace
}  // namespace specinfer::cpu

#include "backends/cpu/kernels/head-inl.h"

namespace specinfer::cpu {

const HeadKernels kHeadAvx2 = {&FinishLogits, &Greatest, &SumOfExp,
                               &FindAtLeast};

}  // namespace specinfer::cpu
