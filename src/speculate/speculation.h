// One sequence's speculation: its drafters, the planner among them, and what
// became of their guesses.
#ifndef SPECINFER_SRC_SPECULATE_SPECULATION_H_
#define SPECINFER_SRC_SPECULATE_SPECULATION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/sample/sampling.h"
#include "src/speculate/drafter.h"
#include "src/speculate/planner.h"
#include "src/speculate/proposal.h"
#include "src/speculate/sampled_planner.h"
#include "src/speculate/statistics.h"
#include "src/speculate/token_tree.h"
#include "src/speculate/verifier.h"

namespace specinfer {

// How an answer is to be drafted.
struct SpeculationRequest {
  Strategy strategy = Strategy::kAuto;
  TreeShape shape;
  SharedNoise noise;
  // Not kMatch: guesses are sampled, with `sampling`, from tokens in `allowed`;
  // both are needed by Begin alone.
  Verifier verifier = Verifier::kMatch;
  const SamplingOptions* sampling = nullptr;
  absl::Span<const uint64_t> allowed;
};

// Where the time of a round went, in microseconds; what passed between calls
// that stopped at a deadline, or waiting for a turn, is not in it.
struct RoundTimes {
  int64_t start_us = 0;  // clock.h
  int64_t draft_us = 0;
  int64_t forward_us = 0;
  int64_t verify_us = 0;
  int64_t commit_us = 0;

  int64_t total_us() const {
    return draft_us + forward_us + verify_us + commit_us;
  }
};

// Not thread-safe. A drafter that fails costs time and is left out for a while;
// its error is in the statistics and nowhere else.
class Speculation {
 public:
  // `times`: of the target's passes; must outlive it.
  Speculation(const PlannerOptions& options, PassTimes* times);

  // Drafters are asked in the order they were added: cheap ones first.
  void AddDrafter(std::unique_ptr<Drafter> drafter, DrafterKind kind);

  // An answer begins.
  void Begin(const SpeculationRequest& request);

  // Plans and drafts a round behind `text`, whose last token becomes the
  // tree's root. `num_context_tokens` are in the target's cache. The tree will
  // be no deeper than `max_depth`; `num_tokens_left` of the answer may be 0 for
  // not known. Guesses are sampled only if `proposal` allows that.
  // Errors: DEADLINE_EXCEEDED: the same call goes on. CANCELLED.
  absl::Status Draft(absl::Span<const Token> text, int32_t num_context_tokens,
                     int32_t max_depth, int32_t num_tokens_left,
                     const PassControl& control, Proposal* proposal);
  // The round is over: tells the drafters, learns, counts.
  void Accept(absl::Span<const Token> text, const TokenTree& tree,
              const Walk& walk, const RoundTimes& times);
  // The text has been cut to its first `num_tokens` tokens; a draft that
  // stopped at a deadline is given up.
  void Rollback(size_t num_tokens);
  // The target lacks memory, which `status` says, with the text at `num_tokens`
  // tokens: drafters give back what they can, which counts as a failure of
  // theirs. A round that has been drafted is to go on as one of plain decoding.
  // False: nobody had any.
  bool GiveBackMemory(const absl::Status& status, size_t num_tokens);

  // For a session that goes on from the same text. Early exits, which share the
  // target's cache, are left out.
  absl::StatusOr<std::unique_ptr<Speculation>> Fork() const;

  // How many tokens the widest of the laws has that guesses can be sampled
  // from; 0: nobody here has one.
  int32_t num_sampled_tokens() const;

  // In the order they were added.
  Drafter& drafter(size_t index) { return *members_[index].drafter; }
  const Plan& plan() const { return plan_; }
  const SpeculationStatistics& statistics() const { return statistics_; }

 private:
  struct Member {
    std::unique_ptr<Drafter> drafter;
    DrafterKind kind;
  };

  PlanRequest MakePlanRequest(absl::Span<const Token> text,
                              int32_t num_context_tokens, int32_t max_depth,
                              int32_t num_tokens_left) const;
  // Guesses of any kind, by all that the plan uses.
  void BeginDraft(const PlanRequest& request, absl::Span<const Token> text,
                  Proposal* proposal);
  absl::Status DraftAny(absl::Span<const Token> text,
                        const PassControl& control);
  // Guesses that one network samples.
  void BeginSampledDraft(const PlanRequest& request,
                         absl::Span<const Token> text, Proposal* proposal);
  absl::Status DraftSampled(absl::Span<const Token> text,
                            const PassControl& control, Proposal* proposal);
  // The first that can sample; members_.size(): none.
  size_t FindSampler(DrafterKind kind) const;
  // Errors: DEADLINE_EXCEEDED, CANCELLED; others are the drafter's own.
  absl::Status Ask(size_t member, absl::Span<const Token> text,
                   const PassControl& control, TokenTree* tree);
  // Whether the guesses of free drafters promise more than a model's would.
  bool FreeOnesLead(const TokenTree& tree) const;
  void KeepLikelyNodes(TokenTree* tree) const;
  void LearnFromModel(const Walk& walk, double seconds);
  void NoteFailure(size_t member, const absl::Status& status,
                   size_t num_tokens);
  void Count(const TokenTree& tree, const Walk& walk, const RoundTimes& times);

  const PlannerOptions options_;
  PassTimes* const times_;
  std::vector<Member> members_;
  Planner planner_;
  std::unique_ptr<SampledPlanner> sampled_planner_;
  SpeculationRequest request_;
  SpeculationStatistics statistics_;
  Plan plan_;

  // Rounds that a model led, faded.
  double model_tokens_ = 0.0;
  double model_seconds_ = 0.0;
  double model_rounds_ = 0.0;

  // The draft in progress.
  bool is_led_by_model_ = false;
  bool is_drafting_ = false;
  TokenTree* tree_ = nullptr;            // the caller's, in DraftAny
  SampledTree* sampled_tree_ = nullptr;  // the caller's; null: DraftAny
  std::vector<double> draft_seconds_;    // [nodes of a pass], for the plan
  double joining_seconds_ = 0.0;         // of this round's drafts
  size_t next_member_ = 0;
  int32_t size_before_ = 0;  // of the tree, before the member that is asked
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_SPECULATION_H_
