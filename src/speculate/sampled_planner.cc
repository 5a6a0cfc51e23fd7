#include "src/speculate/sampled_planner.h"

#include <algorithm>

namespace specinfer {
namespace {

constexpr int32_t kMaxDepth = 12;
constexpr int32_t kMaxChildren = 4;
constexpr int32_t kLearntDepth = 8;

// What a caller gets who asks for chains or trees and says no more.
constexpr int32_t kChainNodes = 5;
constexpr int32_t kTreeNodes = 12;

// Of what was seen, this part is forgotten: the next answer is another text,
// and where nothing is drafted nothing is learnt.
constexpr double kForgetAnswer = 0.5;
constexpr double kForgetRound = 0.01;

PlannerOptions GuardOptions(PlannerOptions options) {
  options.max_nodes = std::min(options.max_nodes, Proposal::kMaxSampledNodes);
  options.looks_up = false;
  return options;
}

}  // namespace

SampledPlanner::SampledPlanner(const PlannerOptions& options, PassTimes* times)
    : guard_(GuardOptions(options), times),
      acceptance_(kLearntDepth, kMaxChildren),
      prior_(kLearntDepth, kMaxChildren),
      tree_(GuardOptions(options).max_nodes) {}

void SampledPlanner::Begin(Verifier verifier) {
  verifier_ = verifier;
  guard_.Begin();
  acceptance_.Forget(kForgetAnswer);
}

Plan SampledPlanner::Next(const PlanRequest& request,
                          absl::Span<const double> draft_seconds) {
  Plan plan = guard_.Next(request);
  if (plan.strategy == Strategy::kOff)
    return DecodePlainly(request, plan.reason);
  if (draft_seconds.empty())
    return DecodePlainly(request, "nobody here draws guesses from a law");
  if (verifier_ == Verifier::kRatio && plan.strategy == Strategy::kTree)
    plan.strategy = Strategy::kDraft;
  TreeBudget limits = plan.budget;
  limits.max_children = plan.strategy == Strategy::kTree ? kMaxChildren : 1;
  if (limits.max_depth < 1 || limits.max_nodes < 2) {
    BuildRoot();  // the answer has no room for guesses
    return plan;
  }
  if (plan.is_forced || request.shape.nodes > 0) {
    BuildFixed(limits, request.shape.nodes);
  } else {
    limits.max_depth = std::min(limits.max_depth, kMaxDepth);
    const TreeChoice choice = ChooseTree(
        [this](int32_t depth, int32_t order) {
          return acceptance_.Probability(depth, order);
        },
        limits, draft_seconds, &tree_);
    if (choice.num_nodes == 1)
      return DecodePlainly(request, "no guesses are expected to pay");
    plan.predicted_gain = choice.tokens_per_second() * plan.plain_seconds;
  }
  plan.expected_tokens = tree_.yield(shape().size());
  return plan;
}

Plan SampledPlanner::DecodePlainly(PlanRequest request, const char* reason) {
  request.strategy = Strategy::kOff;
  Plan plan = guard_.Next(request);
  plan.reason = reason;
  BuildRoot();
  return plan;
}

void SampledPlanner::BuildRoot() {
  tree_.Build([](int32_t, int32_t) { return 0.0; }, {});
}

// By the prior, which is the same in every round.
void SampledPlanner::BuildFixed(TreeBudget limits, int32_t num_nodes) {
  if (num_nodes == 0)
    num_nodes = limits.max_children == 1 ? kChainNodes : kTreeNodes;
  limits.max_nodes = std::min(limits.max_nodes, num_nodes);
  limits.tokens_per_second = 0.0;  // nodes cost nothing
  tree_.Build(
      [this](int32_t depth, int32_t order) {
        return prior_.Probability(depth, order);
      },
      limits);
}

void SampledPlanner::Record(const Plan& plan, const TokenTree& tree,
                            const Walk& walk, double seconds) {
  guard_.Record(plan, static_cast<int32_t>(walk.tokens.size()), seconds);
  if (tree.size() == 1) {
    acceptance_.Forget(kForgetRound);
    return;
  }
  for (size_t i = 0; i < walk.path.size(); ++i) {
    const int32_t node = walk.path[i];
    int32_t num_children = 0;
    for (int32_t child = tree.first_child(node); child >= 0;
         child = tree.next_sibling(child))
      ++num_children;
    acceptance_.Record(
        tree.depth(node) + 1, num_children,
        i + 1 < walk.path.size() ? tree.order(walk.path[i + 1]) : -1);
  }
}

}  // namespace specinfer
