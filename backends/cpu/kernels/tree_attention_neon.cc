#include "backends/cpu/kernels/tree_attention_kernel.h"
#include "backends/cpu/kernels/vec16_neon.h"
// Over the lanes above:
#include "backends/cpu/kernels/tree_attention-inl.h"
#include "backends/cpu/kernels/tree_attention_q8-inl.h"

namespace specinfer::cpu {

void AttendF16Neon(const AttentionBlock& block) { AttendF16(block); }

void AttendQ8Neon(const AttentionBlock& block) { AttendQ8(block); }

void QuantizeQueryNeon(const float* query, int head_dim, int8_t* codes,
                       float* scales, int32_t* sums) {
  QuantizeQuery(query, head_dim, codes, scales, sums);
}

}  // namespace specinfer::cpu
