// The best topology where only a child's place tells how good it is (Sequoia,
// Chen et al. 2024).
#ifndef SPECINFER_SRC_SPECULATE_POSITIONAL_TREE_H_
#define SPECINFER_SRC_SPECULATE_POSITIONAL_TREE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"

#include "src/speculate/token_tree.h"
#include "src/speculate/tree_budget.h"
#include "src/speculate/tree_grower.h"

namespace specinfer {

// The probability that the target goes on to the child of `order` (0 the first)
// whose depth is `depth` (1 the root's), once it is at its parent. Must not
// grow with `order`.
using ChildAcceptance = absl::FunctionRef<double(int32_t depth, int32_t order)>;

// A tree of places. The best tree of n nodes is the first n nodes of any larger
// one with the same limits of depth and children, so one serves all n.
//
// Allocates in its constructor only. Not thread-safe.
class PositionalTree {
 public:
  explicit PositionalTree(int32_t max_nodes);

  // The most expected tokens within `budget`, whose prices count if it has any.
  void Build(ChildAcceptance acceptance, const TreeBudget& budget);

  // A node's token is its order. As Build left it; one node before that.
  const TokenTree& tree() const { return tree_; }
  // Of each node: the probability that the target's walk comes to it.
  absl::Span<const double> scores() const { return scores_; }
  // Expected tokens of a round with the first `num_nodes`: the sum of their
  // scores, the root's 1 being the token the target adds.
  double yield(int32_t num_nodes) const {
    return yields_[static_cast<size_t>(num_nodes)];
  }
  // Nodes of the level above `node` that had children once it was added: what a
  // drafter runs on to find that level's children.
  int32_t draft_width(int32_t node) const {
    return draft_widths_[static_cast<size_t>(node)];
  }

 private:
  void Reset();

  TokenTree tree_;
  TreeGrower grower_;
  std::vector<double> scores_;
  std::vector<double> yields_;         // [num_nodes]
  std::vector<int32_t> draft_widths_;  // [node]
  std::vector<int32_t> num_parents_;   // [depth]: nodes with children
};

// A size and depth, and what it promises.
struct TreeChoice {
  int32_t num_nodes = 1;
  int32_t max_depth = 0;
  double yield = 1.0;    // tokens a round
  double seconds = 0.0;  // a round

  double tokens_per_second() const { return yield / seconds; }
};

// Chooses among all sizes and depths within `limits` what gives most tokens per
// second, where a round takes limits.pass_seconds[n] and, for each level that
// has children, draft_seconds[w] with w of its nodes that have some (several
// drafts if there are more than the table has). Leaves that tree in `tree`.
// One node, which is plain decoding, is always among them; of equals the
// smallest is chosen. limits.tokens_per_second plays no part.
// REQUIRES: pass_seconds for n = 1 .. limits.max_nodes and draft_seconds for
// w = 1 and up, all above 0; limits.max_nodes <= the tree's.
TreeChoice ChooseTree(ChildAcceptance acceptance, TreeBudget limits,
                      absl::Span<const double> draft_seconds,
                      PositionalTree* tree);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_POSITIONAL_TREE_H_
