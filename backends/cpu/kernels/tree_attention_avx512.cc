#include "backends/cpu/kernels/tree_attention_kernel.h"
#include "backends/cpu/kernels/vec16_avx512.h"
// Over the lanes above:
#include "backends/cpu/kernels/tree_attention-inl.h"
#include "backends/cpu/kernels/tree_attention_q8-inl.h"

namespace specinfer::cpu {

void AttendF16Avx512(const AttentionBlock& block) { AttendF16(block); }

void AttendQ8Avx512(const AttentionBlock& block) { AttendQ8(block); }

void QuantizeQueryAvx512(const float* query, int head_dim, int8_t* codes,
                         float* scales, int32_t* sums) {
  QuantizeQuery(query, head_dim, codes, scales, sums);
}

}  // namespace specinfer::cpu
