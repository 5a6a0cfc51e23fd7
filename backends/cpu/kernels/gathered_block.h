// A block of positions that holds nodes of a branching tree, put in position
// order as each row sees it.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_GATHERED_BLOCK_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_GATHERED_BLOCK_H_

#include <cstdint>

#include "src/backend/stream.h"

namespace specinfer::cpu {

inline int NodePosition(const AttentionSequence& sequence, int node) {
  return sequence.num_committed +
         (sequence.depths.empty() ? node
                                  : sequence.depths[static_cast<size_t>(node)]);
}

// One KV head of one layer's cache of one sequence.
struct CacheHead {
  const AttentionSequence* sequence = nullptr;
  CacheType type = CacheType::kF16;
  int head_dim = 0;
  size_t offset = 0;  // in each page

  const uint8_t* page(int slot) const {
    const CachePage& page =
        sequence->pages[static_cast<size_t>(slot / kPagePositions)];
    return page.buffer->host() + page.offset + offset;
  }
};

class GatheredBlock {
 public:
  // The positions from `start` on, a multiple of 64. `page` is memory for one
  // head of a page; the committed lanes are copied to it.
  GatheredBlock(const CacheHead& head, int start, uint8_t* page);

  // Puts the path of `node` in its lanes.
  void Gather(int node);

 private:
  const CacheHead& head_;
  const int start_;
  uint8_t* const page_;
  int nodes_[kPagePositions] = {};  // the node in each lane; -1: none
};

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_GATHERED_BLOCK_H_
