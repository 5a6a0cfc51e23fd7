#include "backends/cpu/kernels/head_kernel.h"
#include "backends/cpu/kernels/vec16_avx512.h"

namespace specinfer::cpu {
namespace {

// Bit i is set where lane i of a is at least that of b.
inline uint32_t AtLeast(Vec16 a, Vec16 b) {
  return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ);
}

}  // namespace
}  // namespace specinfer::cpu

#include "backends/cpu/kernels/head-inl.h"

namespace specinfer::cpu {

const HeadKernels kHeadAvx512 = {&FinishLogits, &Greatest, &SumOfExp,
                                 &FindAtLeast};

}  // namespace specinfer::cpu
