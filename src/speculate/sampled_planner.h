// Which tree of sampled guesses a round draws: whether any, how many nodes, and
// where.
#ifndef SPECINFER_SRC_SPECULATE_SAMPLED_PLANNER_H_
#define SPECINFER_SRC_SPECULATE_SAMPLED_PLANNER_H_

#include <cstdint>

#include "absl/types/span.h"

#include "src/speculate/acceptance.h"
#include "src/speculate/planner.h"
#include "src/speculate/positional_tree.h"
#include "src/speculate/proposal.h"

namespace specinfer {

// A strategy that the caller chose gets the same shape in every round, but
// where the end of the answer is near, so that its text can be had again. kAuto
// gets the shape of most tokens per second, by what was accepted at each place
// and what passes take (Sequoia, Chen et al. 2024), unless the caller chose
// one, and a Planner watches whether that is what comes of it: a round of one
// node, plain decoding, is always among the choices. Not thread-safe.
class SampledPlanner {
 public:
  // `times`: of the target's passes; must outlive it.
  SampledPlanner(const PlannerOptions& options, PassTimes* times);

  // An answer begins. REQUIRES: verifier is not kMatch.
  void Begin(Verifier verifier);
  // The plan of the next round; shape() is then its tree. `draft_seconds[n]`:
  // of a draft's pass over n nodes, n from 1 on; empty: nobody can draft.
  Plan Next(const PlanRequest& request, absl::Span<const double> draft_seconds);
  // One node: plain decoding.
  const TokenTree& shape() const { return tree_.tree(); }

  // What came of it. `seconds`: all of the round.
  void Record(const Plan& plan, const TokenTree& tree, const Walk& walk,
              double seconds);
  // A drafter of this kind failed.
  void Avoid(DrafterKind kind) { guard_.Avoid(kind); }

  double realised_gain() const { return guard_.realised_gain(); }
  uint32_t num_changes() const { return guard_.num_changes(); }

 private:
  Plan DecodePlainly(PlanRequest request, const char* reason);
  void BuildRoot();
  void BuildFixed(TreeBudget limits, int32_t num_nodes);

  Planner guard_;
  Verifier verifier_ = Verifier::kRatio;
  PositionalAcceptance acceptance_;   // learnt
  const PositionalAcceptance prior_;  // before anything was
  PositionalTree tree_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_SAMPLED_PLANNER_H_
