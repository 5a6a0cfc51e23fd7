// How large a round's tree may become, and what a node must be worth to be in
// it.
#ifndef SPECINFER_SRC_SPECULATE_TREE_BUDGET_H_
#define SPECINFER_SRC_SPECULATE_TREE_BUDGET_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace specinfer {

// A tree's yield is E tokens (1 + the sum of its nodes' scores) in T seconds.
// E / T is greatest when every node brings at least the best E / T times what
// it costs (Dinkelbach), so a node is added while
//   score >= tokens_per_second * (seconds(n + 1) - seconds(n)).
struct TreeBudget {
  int32_t max_nodes = 1;  // the root included
  int32_t max_depth = 0;  // of a node below the root
  int32_t max_children = 8;
  double tokens_per_second = 0.0;  // of the plan; 0: nodes cost nothing
  // [n]: seconds of the target's pass over n rows, for n up to max_nodes;
  // convex.
  absl::Span<const double> pass_seconds;

  // What the next node must score in a tree of `num_nodes`.
  double ScoreNeeded(int32_t num_nodes) const {
    const size_t n = static_cast<size_t>(num_nodes);
    if (n + 1 >= pass_seconds.size()) return 0.0;
    return tokens_per_second * (pass_seconds[n + 1] - pass_seconds[n]);
  }
  bool IsWorth(double score, int32_t num_nodes) const {
    return num_nodes < max_nodes && score > 0.0 &&
           score >= ScoreNeeded(num_nodes);
  }
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_TREE_BUDGET_H_
