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

#include "src/forward/decoder.h"
#include "src/forward/sequence.h"
#include "src/speculate/acceptance.h"
#include "src/speculate/drafter.h"
#include "src/speculate/pass_times.h"
#include "src/speculate/tree_grower.h"

namespace specinfer {

// What a ModelDrafter runs. All of it must outlive the drafter.
struct DraftNetwork {
  Backend* backend = nullptr;
  const Architecture* architecture = nullptr;
  const CacheLayout* layout = nullptr;
  const Weights* weights = nullptr;
  absl::Span<const uint64_t> proposable;  // bit set over the vocabulary
  DecoderCut cut;
  PassTimes* times = nullptr;  // of its passes; shared by sessions
};

struct ModelDrafterOptions {
  std::string_view name = "draft";  // lives as long as the drafter
  int32_t max_nodes = 64;           // of a round's tree
  int32_t max_context_tokens = 4096;
  // A text that it has not followed is read from this many tokens back, so
  // that joining late costs little.
  int32_t read_back_tokens = 128;
  // The target's own sequence, where the network is the target's first layers:
  // their keys and values are there, and what a draft writes is written again
  // by the target's pass. Null: a sequence of its own.
  const std::unique_ptr<Sequence>* shared_sequence = nullptr;
};

// Expands the tree level by level, one batched pass for each, the nodes that
// are likeliest to pay first. A child's score is its parent's times the
// calibrated confidence of the draft: SpecExec's best-first search
// (Svirschevski et al. 2024, algorithm 1), stopped by the marginal worth of
// tree_budget.h. With noise, children are the best under the noise that the
// target will draw with.
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
                       const PassControl& control) override;
  double PredictJoining(size_t num_tokens) const override;
  double joining_seconds() const override {
    return static_cast<double>(joining_us_) * 1e-6;
  }
  double step_seconds() const override {
    return network_.times->Seconds(1, sequence().num_committed());
  }
  absl::Status Draft(const DraftRequest& request, TokenTree* tree) override;
  void Accept(absl::Span<const Token> text, const TokenTree& tree,
              const Walk& walk, const WalkFeatures& features) override;
  void Rollback(size_t num_tokens) override;
  absl::StatusOr<std::unique_ptr<Drafter>> Fork() override;

 private:
  // A child that the network would propose.
  struct Proposal {
    Token token;
    float confidence;
  };
  // A node that was fed to the network.
  struct FedNode {
    int32_t tree_node;  // -1: a token before the root
    int32_t num_proposals;
  };

  ModelDrafter(const DraftNetwork& network, const ModelDrafterOptions& options);
  absl::Status Allocate();
  bool has_own_sequence() const { return options_.shared_sequence == nullptr; }
  Sequence& sequence() const {
    return has_own_sequence() ? *own_sequence_ : **options_.shared_sequence;
  }
  int32_t NumMissing(size_t num_tokens) const;
  int32_t ReadBack() const;
  void JoinText(size_t num_tokens);
  void GiveUp();

  absl::Status Expand(const DraftRequest& request, TokenTree* tree);
  void BeginRound();
  double GainOf(const TreeBudget& budget, const TokenTree& tree,
                int32_t node) const;
  void PlanLevel(const DraftRequest& request, const TokenTree& tree);
  void AddFed(int32_t parent, Token token, int32_t tree_node);
  void FeedLevel(const DraftRequest& request, const TokenTree& tree);
  absl::Status RunLevel(const DraftRequest& request);
  absl::Status RunPass(const SequenceNodes& nodes, const ForwardAnswer& answer,
                       const PassControl& control);
  void TakeAnswers(const DraftRequest& request, const TokenTree& tree);
  void Propose(const DraftRequest& request, int32_t depth, size_t answer,
               int32_t fed);
  absl::Span<const Proposal> ProposalsOf(int32_t fed) const;
  void Learn(const Walk& walk);

  const DraftNetwork network_;
  const ModelDrafterOptions options_;
  std::unique_ptr<Decoder> decoder_;
  std::unique_ptr<Sequence> own_sequence_;
  size_t first_token_ = 0;  // its own sequence holds the text from there on

  // What was learnt.
  Calibration calibration_;
  double first_rate_;  // how often its first proposal is right

  // This round.
  bool is_drafting_ = false;
  int64_t joining_us_ = 0;
  int32_t num_before_ = 0;  // fed nodes before the root
  TokenTree fed_tree_;      // what was fed, in that order
  std::vector<FedNode> fed_;
  std::vector<int32_t> fed_of_;      // [tree node]; -1: not fed
  std::vector<Proposal> proposals_;  // [fed node, kMaxProposals]
  TreeGrower grower_;
  std::vector<int32_t> commit_path_;

  // The next pass, or the one that was stopped: tree nodes.
  std::vector<int32_t> level_;
  bool is_level_fed_ = false;
  int64_t pass_us_ = 0;
  int32_t first_row_node_ = 0;  // fed node that is its first row
  std::vector<int32_t> rows_;
  std::vector<HeadQuery> queries_;
  std::vector<Candidate> top_;  // [answer, kMaxCandidates]
  std::vector<double> log_sum_exps_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_MODEL_DRAFTER_H_
