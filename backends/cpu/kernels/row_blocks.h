// Splits the rows of a pass into blocks that never cross a sequence.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_ROW_BLOCKS_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_ROW_BLOCKS_H_

#include <algorithm>
#include <cstdint>

#include "absl/types/span.h"

#include "src/backend/stream.h"

namespace specinfer::cpu {

// Nodes [first, last) of one sequence.
struct RowBlock {
  const AttentionSequence* sequence = nullptr;
  int first = 0;
  int last = 0;
};

// The row of the pass that computes `node`.
inline int64_t RowOf(const AttentionSequence& sequence, int node) {
  return int64_t{sequence.first_row} + node - sequence.first_node;
}

inline int64_t CountRowBlocks(const AttentionSequence& sequence,
                              int rows_per_block) {
  return (sequence.num_nodes - sequence.first_node + rows_per_block - 1) /
         rows_per_block;
}

inline int64_t CountRowBlocks(absl::Span<const AttentionSequence> sequences,
                              int rows_per_block) {
  int64_t count = 0;
  for (const AttentionSequence& sequence : sequences)
    count += CountRowBlocks(sequence, rows_per_block);
  return count;
}

// REQUIRES: index < CountRowBlocks(sequences, rows_per_block).
inline RowBlock FindRowBlock(absl::Span<const AttentionSequence> sequences,
                             int rows_per_block, int64_t index) {
  const AttentionSequence* sequence = sequences.data();
  for (int64_t count = 0;
       index >= (count = CountRowBlocks(*sequence, rows_per_block)); ++sequence)
    index -= count;
  const int first =
      sequence->first_node + static_cast<int>(index) * rows_per_block;
  return {sequence, first,
          std::min(first + rows_per_block, sequence->num_nodes)};
}

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_ROW_BLOCKS_H_
