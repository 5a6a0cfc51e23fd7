// Attention of several queries over one block of 64 positions, for each
// instruction set.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_KERNEL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_KERNEL_H_

#include <cstdint>

namespace specinfer::cpu {

// One query head of one row, and its softmax so far.
struct AttentionQuery {
  const float* query;  // [head_dim]
  float* out;          // [head_dim]; the sum of values before the division
  float maximum;
  float sum;
  float correction;  // of this block
  // The positions of the block that the query sees: lanes [first_lane,
  // last_lane), not empty.
  int first_lane;
  int last_lane;
};

struct AttentionBlock {
  const uint16_t* keys;  // half floats [head_dim, 64]; lanes that no query sees
                         // may hold anything
  const uint16_t* values;  // half floats [64, head_dim]
  int head_dim;
  float scale;
  float soft_cap;  // 0: none
  AttentionQuery* queries;
  int num_queries;
  float* weights;  // scratch, [num_queries, 64]
};

using AttentionKernel = void(const AttentionBlock& block);

AttentionKernel AttendBlockAvx2, AttendBlockAvx512;

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_KERNEL_H_
