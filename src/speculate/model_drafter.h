// A network as a drafter: a smaller model, or the target's own first layers.
#ifndef SPECINFER_SRC_SPECULATE_MODEL_DRAFTER_H_
#define SPECINFER_SRC_SPECULATE_MODEL_DRAFTER_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/forward/sequence.h"
#include "src/speculate/acceptance.h"
#include "src/speculate/draft_runner.h"
#include "src/speculate/drafter.h"
#include "src/speculate/mixer.h"
#include "src/speculate/sampled_drafter.h"
#include "src/speculate/tree_grower.h"

namespace specinfer {

struct ModelDrafterOptions {
  std::string_view name = "draft";  // lives as long as the drafter
  // As in DraftRunnerOptions.
  int32_t max_nodes = 64;
  int32_t max_context_tokens = 4096;
  int32_t read_back_tokens = 128;
  const std::unique_ptr<Sequence>* shared_sequence = nullptr;
  std::shared_ptr<const Sequence> memory;
};

// Expands the tree level by level, one batched pass for each, the nodes that
// are likeliest to pay first. A child's score is its parent's times the
// calibrated confidence of the draft: SpecExec's best-first search
// (Svirschevski et al. 2024, algorithm 1), stopped by the marginal worth of
// tree_budget.h. With noise, children are the best under the noise that the
// target will draw with. Its network draws sampled guesses too.
//
// Guesses of others that are in the tree already cost it nothing to judge, as
// their nodes are fed together: both opinions are mixed, and what is then not
// worth verifying is dropped.
class ModelDrafter : public Drafter {
 public:
  // Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<ModelDrafter>> Create(
      const DraftNetwork& network, const ModelDrafterOptions& options);
  // What Create will take.
  static uint64_t PlanBytes(const DraftNetwork& network,
                            const ModelDrafterOptions& options);

  std::string_view name() const override { return options_.name; }
  absl::Status Prefill(absl::Span<const Token> text,
                       const PassControl& control) override {
    return runner_->Prefill(text, control);
  }
  double PredictJoining(size_t num_tokens) const override {
    return runner_->PredictJoining(num_tokens);
  }
  double joining_seconds() const override { return runner_->joining_seconds(); }
  double step_seconds() const override { return runner_->PassSeconds(1); }
  absl::Status Draft(const DraftRequest& request, TokenTree* tree) override;
  void Accept(absl::Span<const Token> text, const TokenTree& tree,
              const Walk& walk, const WalkFeatures& features) override;
  void Rollback(size_t num_tokens) override;
  bool GiveBackMemory() override;
  absl::StatusOr<std::unique_ptr<Drafter>> Fork() override;
  SampledDrafter* sampled() override { return &sampled_; }

 private:
  // A child that the network would propose.
  struct Proposal {
    Token token;
    float confidence;
  };

  ModelDrafter(std::unique_ptr<DraftRunner> runner,
               const ModelDrafterOptions& options);
  void GiveUp();

  absl::Status Expand(const DraftRequest& request, TokenTree* tree);
  void BeginRound();
  double GainOf(const TreeBudget& budget, const TokenTree& tree,
                int32_t node) const;
  void PlanLevel(const DraftRequest& request, const TokenTree& tree);
  void TakeAnswers(const DraftRequest& request, TokenTree* tree);
  double JudgeChildren(int32_t node, TokenTree* tree);
  double ConfidenceOf(int32_t node, Token token) const;
  void Rescale(int32_t node, double factor, TokenTree* tree);
  void DropUnworthy(const TreeBudget& budget, TokenTree* tree);
  void Propose(const DraftRequest& request, int32_t depth, size_t answer,
               int32_t node);
  absl::Span<const Proposal> ProposalsOf(int32_t node) const;
  void Learn(const TokenTree& tree, const Walk& walk);

  const ModelDrafterOptions options_;
  const std::unique_ptr<DraftRunner> runner_;
  SampledDrafter sampled_;

  // What was learnt.
  Calibration calibration_;
  Mixer mixer_;
  double first_rate_;  // how often its first proposal is right

  // This round.
  bool is_drafting_ = false;
  bool has_drafted_ = false;
  std::vector<Proposal> proposals_;     // [tree node, kMaxProposals]
  std::vector<int32_t> num_proposals_;  // [tree node]
  TreeGrower grower_;
  // A guess of another drafter, and what both thought of it.
  struct Judgement {
    int32_t parent_id;
    Token token;
    double others;
    double own;
  };
  std::vector<Judgement> judgements_;
  std::vector<float> scores_;        // scratch
  std::vector<double> factors_;      // scratch, [tree node]
  std::vector<int32_t> renumbered_;  // scratch

  // The next pass, or the one that was stopped: tree nodes.
  std::vector<int32_t> level_;
  std::vector<Candidate> top_;  // [answer, kMaxCandidates]
  std::vector<double> log_sum_exps_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_MODEL_DRAFTER_H_
