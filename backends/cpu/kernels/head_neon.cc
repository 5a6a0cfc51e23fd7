#include "backends/cpu/kernels/head_kernel.h"
#include "backends/cpu/kernels/vec16_neon.h"

namespace specinfer::cpu {
namespace {

// Bit i is set where lane i of a is at least that of b.
inline uint32_t AtLeast(Vec16 a, Vec16 b) {
  static constexpr uint32_t kBits[4] = {1, 2, 4, 8};
  const uint32x4_t bits = vld1q_u32(kBits);
  uint32x4_t found = vandq_u32(vcgeq_f32(a.v[0], b.v[0]), bits);
  found = vorrq_u32(found,
                    vandq_u32(vcgeq_f32(a.v[1], b.v[1]), vshlq_n_u32(bits, 4)));
  found = vorrq_u32(found,
                    vandq_u32(vcgeq_f32(a.v[2], b.v[2]), vshlq_n_u32(bits, 8)));
  found = vorrq_u32(
      found, vandq_u32(vcgeq_f32(a.v[3], b.v[3]), vshlq_n_u32(bits, 12)));
  return vaddvq_u32(found);
}

}  // namespace
}  // namespace specinfer::cpu

#include "backends/cpu/kernels/head-inl.h"

namespace specinfer::cpu {

const HeadKernels kHeadNeon = {&FinishLogits, &Greatest, &SumOfExp,
                               &FindAtLeast};

}  // namespace specinfer::cpu
