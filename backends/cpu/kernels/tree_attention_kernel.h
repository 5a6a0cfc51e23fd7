// Attention of several queries over one block of 64 positions, for each
// instruction set.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_KERNEL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_KERNEL_H_

#include <cstdint>

namespace specinfer::cpu {

// Query heads of rows. Arrays over queries are apart, so that 16 of them are a
// vector.
struct AttentionQueries {
  float* const* out;      // [head_dim] each; sums of values before the division
  float* maximum;         // of the scores so far
  float* sum;             // of the weights so far
  float* correction;      // scratch: of this block
  const int* first_lane;  // the positions of the block that a query sees: lanes
  const int* last_lane;   // [first_lane, last_lane), not empty
  float* weights;         // scratch, [queries, 64]
  // Of a f16 cache: element d of query q is at [d · stride + q].
  const float* columns;
  int stride;
  // Of a q8 cache, with `dims` = head_dim rounded up to 32. AMX reads up to 15
  // queries more than there are.
  const int8_t* codes;    // [queries, dims]; of AMX [queries, dims / 32, 64]
  const float* scales;    // [queries, dims / 32]
  const int32_t* sums;    // [queries, dims / 32]: of the codes
  uint8_t* weight_codes;  // scratch, [queries, 2, 64]
  float* steps;           // scratch: of the weight codes
};

struct AttentionBlock {
  const uint8_t* page;  // one head of a cache page; lanes that no query sees
                        // may hold anything
  const uint8_t* next;  // what will be read next; may be null
  int head_dim;
  float scale;
  float soft_cap;  // 0: none
  int num_queries;
  AttentionQueries queries;
  float* floats;  // scratch, AttentionScratchFloats(head_dim)
};

// f16: [head_dim, 32] and [64, 32]. q8: the scales of a page; two rows of
// tiles.
constexpr int64_t AttentionScratchFloats(int64_t head_dim) {
  return 32 * (head_dim + 64) + 4096;
}

using AttentionKernel = void(const AttentionBlock& block);

AttentionKernel AttendF16Avx2, AttendF16Avx512, AttendF16Neon;
AttentionKernel AttendQ8Avx2, AttendQ8Avx512, AttendQ8Amx, AttendQ8Neon;

// What AttendQ8Amx needs before its blocks, and after them.
using AttentionTileKernel = void();
void BeginAttentionTileAmx();
void EndAttentionTileAmx();

// A query as codes, their scales and their sums, as AttentionQueries says.
using QuantizeQueryKernel = void(const float* query, int head_dim,
                                 int8_t* codes, float* scales, int32_t* sums);

QuantizeQueryKernel QuantizeQueryAvx2, QuantizeQueryAvx512, QuantizeQueryAmx,
    QuantizeQueryNeon;

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_KERNEL_H_
