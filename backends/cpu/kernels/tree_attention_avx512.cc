#include "backends/cpu/kernels/tree_attention_kernel.h"
#include "backends/cpu/kernels/vec16_avx512.h"
// Over the lanes above:
#include "backends/cpu/kernels/tree_attention-inl.h"

namespace specinfer::cpu {

void AttendBlockAvx512(const AttentionBlock& block) { AttendBlock(block); }

}  // namespace specinfer::cpu
