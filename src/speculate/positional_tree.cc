#include "src/speculate/positional_tree.h"

namespace specinfer {
namespace {

// Of a draft over `width` nodes, in as many passes as the table needs.
double DraftSeconds(absl::Span<const double> draft_seconds, int32_t width) {
  const size_t widest = draft_seconds.size() - 1;
  const size_t rows = static_cast<size_t>(width);
  double seconds = static_cast<double>(rows / widest) * draft_seconds[widest];
  if (rows % widest != 0) seconds += draft_seconds[rows % widest];
  return seconds;
}

}  // namespace

PositionalTree::PositionalTree(int32_t max_nodes)
    : tree_(max_nodes), grower_(max_nodes + 1) {
  const size_t num_nodes = static_cast<size_t>(max_nodes);
  scores_.reserve(num_nodes);
  yields_.reserve(num_nodes + 1);
  draft_widths_.reserve(num_nodes);
  num_parents_.reserve(num_nodes);
  Reset();
}

void PositionalTree::Reset() {
  tree_.Reset(0);
  grower_.Begin();
  scores_.assign(1, 1.0);
  yields_.assign({0.0, 1.0});
  draft_widths_.assign(1, 0);
  num_parents_.assign(static_cast<size_t>(tree_.max_nodes()), 0);
}

void PositionalTree::Build(ChildAcceptance acceptance,
                           const TreeBudget& budget) {
  Reset();
  const auto offer = [&](int32_t parent, int32_t order) {
    const double score = scores_[static_cast<size_t>(parent)] *
                         acceptance(tree_.depth(parent) + 1, order);
    grower_.Offer(parent, order, static_cast<float>(score), /*source=*/0);
  };
  offer(0, 0);
  while (grower_.Grow(budget, &tree_, /*max_added=*/1) == 1) {
    const int32_t node = tree_.size() - 1;
    const int32_t parent = tree_.parent(node);
    const int32_t order = tree_.order(node);
    scores_.push_back(scores_[static_cast<size_t>(parent)] *
                      acceptance(tree_.depth(node), order));
    yields_.push_back(yields_.back() + scores_.back());
    int32_t& width = num_parents_[static_cast<size_t>(tree_.depth(parent))];
    if (order == 0) ++width;
    draft_widths_.push_back(width);
    offer(parent, order + 1);
    offer(node, 0);
  }
}

TreeChoice ChooseTree(ChildAcceptance acceptance, TreeBudget limits,
                      absl::Span<const double> draft_seconds,
                      PositionalTree* tree) {
  limits.tokens_per_second = 0.0;
  TreeChoice best = {.seconds = limits.pass_seconds[1]};
  const int32_t deepest = limits.max_depth;
  for (int32_t depth = 1; depth <= deepest; ++depth) {
    limits.max_depth = depth;
    tree->Build(acceptance, limits);
    const TokenTree& nodes = tree->tree();
    double drafts = 0.0;
    bool is_reached = false;  // the depth: otherwise more changes nothing
    for (int32_t num_nodes = 2; num_nodes <= nodes.size(); ++num_nodes) {
      const int32_t node = num_nodes - 1;
      is_reached = is_reached || nodes.depth(node) == depth;
      if (nodes.order(node) == 0) {  // its parent's first: one more to draft at
        const int32_t width = tree->draft_width(node);
        drafts += DraftSeconds(draft_seconds, width);
        if (width > 1) drafts -= DraftSeconds(draft_seconds, width - 1);
      }
      const TreeChoice choice = {
          .num_nodes = num_nodes,
          .max_depth = depth,
          .yield = tree->yield(num_nodes),
          .seconds =
              limits.pass_seconds[static_cast<size_t>(num_nodes)] + drafts};
      if (choice.tokens_per_second() > best.tokens_per_second()) best = choice;
    }
    if (!is_reached) break;
  }
  limits.max_nodes = best.num_nodes;
  limits.max_depth = best.max_depth;
  tree->Build(acceptance, limits);
  return best;
}

}  // namespace specinfer
