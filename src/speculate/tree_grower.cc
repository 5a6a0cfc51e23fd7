#include "src/speculate/tree_grower.h"

#include <algorithm>

namespace specinfer {
namespace {

int32_t CountChildren(const TokenTree& tree, int32_t node) {
  int32_t num_children = 0;
  for (int32_t child = tree.first_child(node); child >= 0;
       child = tree.next_sibling(child)) {
    ++num_children;
  }
  return num_children;
}

}  // namespace

TreeGrower::TreeGrower(int32_t max_candidates)
    : max_candidates_(static_cast<size_t>(max_candidates)) {
  candidates_.reserve(max_candidates_);
}

void TreeGrower::Begin() { candidates_.clear(); }

void TreeGrower::Offer(int32_t parent, Token token, float score,
                       DraftSource source) {
  if (!(score > 0.0f)) return;
  if (candidates_.size() == max_candidates_) {
    if (score <= candidates_.front().score) return;
    candidates_.erase(candidates_.begin());
  }
  const auto place =
      std::lower_bound(candidates_.begin(), candidates_.end(), score,
                       [](const Candidate& candidate, float value) {
                         return candidate.score < value;
                       });
  candidates_.insert(
      place,
      {.score = score, .parent = parent, .token = token, .source = source});
}

TreeGrower::Candidate TreeGrower::TakeBest(const TokenTree& tree) {
  auto best = candidates_.end() - 1;
  for (auto other = best; other != candidates_.begin();) {
    --other;
    if (other->score < best->score) break;
    if (tree.depth(other->parent) < tree.depth(best->parent)) best = other;
  }
  const Candidate taken = *best;
  candidates_.erase(best);
  return taken;
}

int32_t TreeGrower::Grow(const TreeBudget& budget, TokenTree* tree,
                         int32_t max_added) {
  int32_t num_added = 0;
  while (num_added < max_added && !tree->is_full() && !candidates_.empty() &&
         budget.IsWorth(candidates_.back().score, tree->size())) {
    const Candidate best = TakeBest(*tree);
    const bool is_known = tree->FindChild(best.parent, best.token) >= 0;
    if (!is_known &&
        (tree->depth(best.parent) >= budget.max_depth ||
         CountChildren(*tree, best.parent) >= budget.max_children)) {
      continue;
    }
    tree->AddNode(best.parent, best.token, best.score, best.source);
    if (!is_known) ++num_added;
  }
  return num_added;
}

}  // namespace specinfer
