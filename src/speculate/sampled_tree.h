// A token tree whose nodes were sampled from a draft's laws: the only proposals
// that the ratio test may verify (ratio_verifier.h).
//
// Invariants:
// 1. The children of a node were drawn in order, without replacement, from the
//    law kept in the node's row; all draws are kept. Their number was settled
//    before the first was drawn.
// 2. Nothing else adds, drops, merges or reorders nodes.
#ifndef SPECINFER_SRC_SPECULATE_SAMPLED_TREE_H_
#define SPECINFER_SRC_SPECULATE_SAMPLED_TREE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/speculate/token_tree.h"

namespace specinfer {

class SampledTree {
 public:
  struct Limits {
    int32_t max_nodes = 1;     // the root included
    int32_t max_expanded = 1;  // nodes with children: up to 1,024
    int32_t max_children = 1;  // of a node; 1: a chain
    int32_t vocabulary_size = 0;
  };

  // Takes PlanBytes(limits) from `memory`, which must outlive it; nothing is
  // allocated afterwards.
  // Errors: INVALID_ARGUMENT, RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<SampledTree>> Create(
      const Limits& limits, Memory& memory);
  static uint64_t PlanBytes(const Limits& limits);

  // Starts over with one node. `key.position` is that of the token after the
  // root, so no two rounds of a text draw with the same numbers.
  void Reset(Token root, const NoiseKey& key);

  // Draws children of `node` from `law` [vocabulary], which need not sum to 1:
  // `num_children` of them, or as many as the limits and the law's support
  // allow. Tokens of law 0 are never drawn, not even when the support is
  // exhausted: how many children there are remains a function of the law, so
  // the verifier stays exact, and a uniform draw from a large vocabulary would
  // only fill the tree with what the target refuses. Returns how many were
  // added; they are the tree's last nodes.
  // Errors: INVALID_ARGUMENT (not a law), FAILED_PRECONDITION (the node has
  // been expanded, or all rows are in use); the tree is then as it was.
  absl::StatusOr<int32_t> Expand(int32_t node, absl::Span<const float> law,
                                 int32_t num_children, DraftSource source = 0);

  // Where the law of the i-th node that is expanded next may lie: what is
  // written there need not be copied.
  // REQUIRES: so many may be expanded.
  absl::Span<float> SpareRow(int32_t i) { return Row(num_expanded_ + i); }

  // As in TokenTree: for statistics.
  void set_score(int32_t node, float score) { tree_.set_score(node, score); }

  const TokenTree& tree() const { return tree_; }
  absl::Span<const uint64_t> PathBits() { return tree_.PathBits(); }
  const NoiseKey& key() const { return key_; }
  const Limits& limits() const { return limits_; }
  // The law that the children of `node` were drawn from; empty: it has none.
  absl::Span<const float> law(int32_t node) const;

 private:
  struct Draw {
    float time;  // of the exponential race
    Token token;
  };

  SampledTree(const Limits& limits, Block rows);
  absl::Span<float> Row(int32_t row) const;
  absl::Status Race(absl::Span<const float> law, uint32_t row,
                    size_t num_children);

  const Limits limits_;
  const Block rows_;  // [max_expanded, vocabulary]
  NoiseKey key_;
  TokenTree tree_;
  int32_t num_expanded_ = 0;
  std::vector<int32_t> row_of_;  // [max_nodes]; -1: not expanded
  std::vector<Draw> draws_;      // ascending by time; then by token
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_SAMPLED_TREE_H_
