#include <immintrin.h>

#include "backends/cpu/kernels/peak_kernel.h"

namespace specinfer::cpu {
namespace {

// Enough that no sum waits for itself: 2 a cycle, 4 or 5 cycles each.
constexpr int kNumSums = 16;

}  // namespace

int64_t Int8PeakAvx512(int64_t num_rounds, uint8_t* operands) {
  const __m512i a = _mm512_loadu_si512(operands);
  __m512i sums[kNumSums];
  for (__m512i& sum : sums) sum = a;
  for (int64_t round = 0; round < num_rounds; ++round) {
#pragma GCC unroll 16
    for (__m512i& sum : sums) sum = _mm512_dpbusd_epi32(sum, a, a);
  }
  for (int i = 1; i < kNumSums; ++i)
    sums[0] = _mm512_xor_si512(sums[0], sums[i]);
  _mm512_storeu_si512(operands, sums[0]);
  return num_rounds * kNumSums * 64;
}

int64_t FloatPeakAvx512(int64_t num_rounds, uint8_t* operands) {
  const __m512 a = _mm512_set1_ps(operands[0] > 127 ? 1.0f : 0.0f);
  __m512 sums[kNumSums];
  for (__m512& sum : sums) sum = a;
  for (int64_t round = 0; round < num_rounds; ++round) {
#pragma GCC unroll 16
    for (__m512& sum : sums) sum = _mm512_fmadd_ps(sum, a, a);
  }
  for (int i = 1; i < kNumSums; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  _mm512_storeu_si512(operands, _mm512_castps_si512(sums[0]));
  return num_rounds * kNumSums * 16;
}

uint64_t ReadAvx512(const uint8_t* bytes, size_t num_bytes) {
  __m512i all[4];
  for (__m512i& part : all) part = _mm512_setzero_si512();
  for (size_t i = 0; i < num_bytes; i += kReadStepBytes) {
#pragma GCC unroll 4
    for (int part = 0; part < 4; ++part) {
      const uint8_t* line = bytes + i + part * 64;
      _mm_prefetch(reinterpret_cast<const char*>(line) + kReadAheadBytes,
                   _MM_HINT_T0);
      all[part] = _mm512_or_si512(all[part], _mm512_loadu_si512(line));
    }
  }
  const __m512i any = _mm512_or_si512(_mm512_or_si512(all[0], all[1]),
                                      _mm512_or_si512(all[2], all[3]));
  uint64_t words[8];
  _mm512_storeu_si512(words, any);
  uint64_t seen = 0;
  for (const uint64_t word : words) seen |= word;
  return seen;
}

}  // namespace specinfer::cpu
