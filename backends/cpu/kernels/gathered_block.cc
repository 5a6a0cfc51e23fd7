#include "backends/cpu/kernels/gathered_block.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/kernels/cache_page.h"

namespace specinfer::cpu {

GatheredBlock::GatheredBlock(const CacheHead& head, int start, uint8_t* page)
    : head_(head), start_(start), page_(page) {
  std::fill_n(nodes_, kPagePositions, -1);
  // The lanes of nodes are copied too, and overwritten before they are seen.
  if (start < head.sequence->num_committed) {
    std::memcpy(page, head.page(start),
                CacheBytesPerLayer(1, head.head_dim, head.type));
  }
}

void GatheredBlock::Gather(int node) {
  const AttentionSequence& sequence = *head_.sequence;
  const size_t num_words = static_cast<size_t>((sequence.num_nodes + 63) / 64);
  const uint64_t* path =
      sequence.path_bits.data() + static_cast<size_t>(node) * num_words;
  for (size_t word = 0; word < num_words; ++word) {
    for (uint64_t bits = path[word]; bits != 0; bits &= bits - 1) {
      const int ancestor = static_cast<int>(word) * 64 + __builtin_ctzll(bits);
      const int lane = NodePosition(sequence, ancestor) - start_;
      if (lane < 0 || lane >= kPagePositions || nodes_[lane] == ancestor)
        continue;
      nodes_[lane] = ancestor;
      const int slot = sequence.num_committed + ancestor;
      CopyCacheSlot(head_.type, head_.head_dim, head_.page(slot),
                    slot % kPagePositions, page_, lane);
    }
  }
}

}  // namespace specinfer::cpu
