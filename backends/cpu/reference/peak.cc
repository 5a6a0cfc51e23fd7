#include <cstring>

#include "backends/cpu/kernels/peak_kernel.h"

namespace specinfer::cpu {

int64_t Int8PeakReference(int64_t num_rounds, uint8_t* operands) {
  uint32_t sums[kPeakOperandBytes] = {};
  for (int64_t round = 0; round < num_rounds; ++round) {
    for (int i = 0; i < kPeakOperandBytes; ++i)
      sums[i] += static_cast<uint32_t>(operands[i]) * operands[i] +
                 static_cast<uint32_t>(round);
  }
  for (int i = 0; i < kPeakOperandBytes; ++i)
    operands[i] = static_cast<uint8_t>(sums[i]);
  return num_rounds * kPeakOperandBytes;
}

int64_t FloatPeakReference(int64_t num_rounds, uint8_t* operands) {
  constexpr int kNumSums = kPeakOperandBytes / static_cast<int>(sizeof(float));
  const float a = operands[0] > 127 ? 1.0f : 0.0f;
  float sums[kNumSums] = {};
  for (int64_t round = 0; round < num_rounds; ++round) {
    for (float& sum : sums) sum = sum * a + a;
  }
  std::memcpy(operands, sums, sizeof(sums));
  return num_rounds * kNumSums;
}

uint64_t ReadReference(const uint8_t* bytes, size_t num_bytes) {
  uint64_t all = 0;
  for (size_t i = 0; i < num_bytes; i += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, bytes + i, sizeof(word));
    all |= word;
  }
  return all;
}

}  // namespace specinfer::cpu
