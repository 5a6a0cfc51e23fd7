// The attention kernel for AMX, with its instructions emulated.
#ifndef SPECINFER_TESTS_BACKEND_ATTENTION_EMULATED_H_
#define SPECINFER_TESTS_BACKEND_ATTENTION_EMULATED_H_

#include "backends/cpu/kernels/tree_attention_kernel.h"

namespace specinfer::cpu {

// These need AVX-512.
void BeginAttentionTileEmulated();
void AttendQ8Emulated(const AttentionBlock& block);
void QuantizeQueryEmulated(const float* query, int head_dim, int8_t* codes,
                           float* scales, int32_t* sums);

}  // namespace specinfer::cpu

#endif  // SPECINFER_TESTS_BACKEND_ATTENTION_EMULATED_H_
