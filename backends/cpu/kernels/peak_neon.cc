#include <arm_neon.h>

#include "backends/cpu/kernels/peak_kernel.h"

namespace specinfer::cpu {
namespace {

// Enough that no sum waits for itself: up to 4 a cycle, 4 cycles each.
constexpr int kNumSums = 16;

}  // namespace

int64_t Int8PeakNeon(int64_t num_rounds, uint8_t* operands) {
  const int8x16_t a = vreinterpretq_s8_u8(vld1q_u8(operands));
  int32x4_t sums[kNumSums];
  for (int32x4_t& sum : sums) sum = vreinterpretq_s32_s8(a);
  for (int64_t round = 0; round < num_rounds; ++round) {
#pragma GCC unroll 16
    for (int32x4_t& sum : sums) sum = vdotq_s32(sum, a, a);
  }
  for (int i = 1; i < kNumSums; ++i) sums[0] = veorq_s32(sums[0], sums[i]);
  vst1q_u8(operands, vreinterpretq_u8_s32(sums[0]));
  return num_rounds * kNumSums * 16;
}

int64_t FloatPeakNeon(int64_t num_rounds, uint8_t* operands) {
  const float32x4_t a = vdupq_n_f32(operands[0] > 127 ? 1.0f : 0.0f);
  float32x4_t sums[kNumSums];
  for (float32x4_t& sum : sums) sum = a;
  for (int64_t round = 0; round < num_rounds; ++round) {
#pragma GCC unroll 16
    for (float32x4_t& sum : sums) sum = vfmaq_f32(sum, a, a);
  }
  for (int i = 1; i < kNumSums; ++i) sums[0] = vaddq_f32(sums[0], sums[i]);
  vst1q_u8(operands, vreinterpretq_u8_f32(sums[0]));
  return num_rounds * kNumSums * 4;
}

uint64_t ReadNeon(const uint8_t* bytes, size_t num_bytes) {
  uint8x16_t all[4];
  for (uint8x16_t& part : all) part = vdupq_n_u8(0);
  for (size_t i = 0; i < num_bytes; i += 64) {
    __builtin_prefetch(bytes + i + kReadAheadBytes);
#pragma GCC unroll 4
    for (int part = 0; part < 4; ++part)
      all[part] = vorrq_u8(all[part], vld1q_u8(bytes + i + part * 16));
  }
  const uint8x16_t any =
      vorrq_u8(vorrq_u8(all[0], all[1]), vorrq_u8(all[2], all[3]));
  return vgetq_lane_u64(vreinterpretq_u64_u8(any), 0) |
         vgetq_lane_u64(vreinterpretq_u64_u8(any), 1);
}

}  // namespace specinfer::cpu
