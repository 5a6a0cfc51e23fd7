#include <immintrin.h>

#include "backends/cpu/kernels/peak_kernel.h"

namespace specinfer::cpu {
namespace {

// Enough that no sum waits for itself: 2 a cycle, 4 or 5 cycles each.
constexpr int kNumSums = 12;

__m256i LoadOperand(const uint8_t* operands) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(operands));
}

void StoreOperand(uint8_t* operands, __m256i value) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(operands), value);
}

}  // namespace

// Two chains of four products in 16 bits, joined and widened: eight products
// for each vpmaddwd, as linear layers of 4-bit codes have.
int64_t Int8PeakAvx2(int64_t num_rounds, uint8_t* operands) {
  constexpr int kNumWide = 3;
  __m256i a = LoadOperand(operands);
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sums[kNumWide];
  for (__m256i& sum : sums) sum = a;
  for (int64_t round = 0; round < num_rounds; ++round) {
#pragma GCC unroll 3
    for (__m256i& sum : sums) {
      __m256i pairs[2];
#pragma GCC unroll 2
      for (__m256i& chain : pairs) {
        chain = _mm256_maddubs_epi16(a, a);
#pragma GCC unroll 3
        for (int i = 1; i < 4; ++i) {
          // Else equal products would be computed once.
          asm("" : "+x"(a));
          chain = _mm256_add_epi16(chain, _mm256_maddubs_epi16(a, a));
        }
        asm("" : "+x"(a));
      }
      sum = _mm256_add_epi32(
          sum, _mm256_madd_epi16(_mm256_add_epi16(pairs[0], pairs[1]), ones));
    }
  }
  for (int i = 1; i < kNumWide; ++i)
    sums[0] = _mm256_xor_si256(sums[0], sums[i]);
  StoreOperand(operands, sums[0]);
  return num_rounds * kNumWide * 8 * 32;
}

int64_t FloatPeakAvx2(int64_t num_rounds, uint8_t* operands) {
  const __m256 a = _mm256_set1_ps(operands[0] > 127 ? 1.0f : 0.0f);
  __m256 sums[kNumSums];
  for (__m256& sum : sums) sum = a;
  for (int64_t round = 0; round < num_rounds; ++round) {
#pragma GCC unroll 12
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, a, a);
  }
  for (int i = 1; i < kNumSums; ++i) sums[0] = _mm256_add_ps(sums[0], sums[i]);
  StoreOperand(operands, _mm256_castps_si256(sums[0]));
  return num_rounds * kNumSums * 8;
}

uint64_t ReadAvx2(const uint8_t* bytes, size_t num_bytes) {
  __m256i all[8];
  for (__m256i& part : all) part = _mm256_setzero_si256();
  for (size_t i = 0; i < num_bytes; i += kReadStepBytes) {
#pragma GCC unroll 8
    for (int part = 0; part < 8; ++part) {
      const uint8_t* half_line = bytes + i + part * 32;
      if (part % 2 == 0) {
        _mm_prefetch(reinterpret_cast<const char*>(half_line) + kReadAheadBytes,
                     _MM_HINT_T0);
      }
      all[part] = _mm256_or_si256(all[part], LoadOperand(half_line));
    }
  }
  for (int part = 1; part < 8; ++part)
    all[0] = _mm256_or_si256(all[0], all[part]);
  uint64_t words[4];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), all[0]);
  return words[0] | words[1] | words[2] | words[3];
}

}  // namespace specinfer::cpu
