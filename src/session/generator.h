// Prefill, then rounds: the heart. A round drafts a tree, scores it in one
// pass, and keeps the path the target chose.
#ifndef SPECINFER_SRC_SESSION_GENERATOR_H_
#define SPECINFER_SRC_SESSION_GENERATOR_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/forward/decoder.h"
#include "src/sample/sampler.h"
#include "src/sample/token_chooser.h"
#include "src/session/model.h"
#include "src/speculate/proposal.h"
#include "src/speculate/speculation.h"
#include "src/speculate/verifier.h"

namespace specinfer {

// One sequence's part in rounds. The text is the caller's; its last token is
// the root: committed, not yet in the cache.
struct Lane {
  explicit Lane(int32_t max_nodes);

  Sequence* sequence = nullptr;
  Speculation* speculation = nullptr;  // null: plain decoding
  Sampler* sampler = nullptr;
  // Chooses in place of the sampler; proposals are then matched. Null: nobody.
  TokenChooser* chooser = nullptr;
  // The caller sets these before each round.
  absl::Span<const Token> text;
  absl::Span<const Token> banned;  // never chosen at the root
  int32_t max_depth = 0;           // of guesses below the root
  int32_t num_tokens_left = 0;     // of the answer; 0: not known

  Proposal proposal;
  std::vector<SampleSlot> slots;  // by node
  Walk walk;                      // the outcome of the last round
  RoundTimes times;               // of the round
  bool is_drafting = false;       // stopped in the middle of a draft
};

// Runs passes of one model for any number of lanes. Not thread-safe.
//
// A call that returns DEADLINE_EXCEEDED has stopped in the middle; the same
// call with the same lanes goes on. After any other error, or Abandon, every
// sequence is at its last commit. During a round or a chain less urgent work of
// the engine waits (control.turn).
class Generator {
 public:
  // For passes of up to `max_rows` nodes, lanes together. `model` must outlive
  // it.
  static absl::StatusOr<std::unique_ptr<Generator>> Create(
      const Model& model, int32_t max_rows,
      CacheType cache_type = CacheType::kF16);

  // Feeds the next chunk of up to `max_tokens` tokens of `text` that its
  // sequence does not hold, short of the last one, which is the root of the
  // first round. Returns how many tokens were fed; 0: there is nothing left.
  // REQUIRES: max_tokens <= max_rows().
  absl::StatusOr<int32_t> Prefill(Sequence& sequence,
                                  absl::Span<const Token> text,
                                  int32_t max_tokens,
                                  const PassControl& control);

  // One round for each lane: plan and draft its tree, score all trees in one
  // pass, walk each as far as its verifier agrees, commit, and let the drafters
  // know. The tokens it adds are in each lane's walk.
  absl::Status Round(absl::Span<Lane* const> lanes, const PassControl& control);

  // Gives up a call that stopped in the middle. Drafts that it left are given
  // up by Speculation::Rollback.
  void Abandon() {
    decoder_->Abandon();
    num_drafted_ = 0;
  }

  // The model's own law at nodes of the last round, for log-probabilities; of
  // several lanes the nodes follow each other.
  absl::Status Ask(absl::Span<const HeadQuery> queries,
                   const PassControl& control) {
    return decoder_->Ask(queries, control);
  }

  // Feeds `nodes` as a chain and asks about its rows. For scoring and
  // embedding: no round is involved.
  absl::Status Forward(Sequence& sequence, absl::Span<const Token> nodes,
                       const ForwardAnswer& answer, const PassControl& control);

  // As Forward, but commits nothing: the sequence stays as it was.
  absl::Status ForwardUncommitted(Sequence& sequence,
                                  absl::Span<const Token> nodes,
                                  const ForwardAnswer& answer,
                                  const PassControl& control);

  int32_t max_rows() const { return decoder_->max_rows(); }

 private:
  explicit Generator(const Model& model) : model_(model) {}
  absl::Status Draft(absl::Span<Lane* const> lanes, const PassControl& control);
  absl::Status DraftLane(Lane& lane, const PassControl& control);
  absl::Status PreparePass(absl::Span<Lane* const> lanes);
  absl::Status PrepareTree(Lane& lane);
  void AskOfLane(Lane& lane);
  absl::Status Forward(absl::Span<Lane* const> lanes,
                       const PassControl& control);
  absl::Status Verify(absl::Span<Lane* const> lanes,
                      const PassControl& control);
  absl::Status VerifyLane(Lane& lane, int32_t first_row,
                          const PassControl& control);
  // What the target chooses at a node, or its law there.
  absl::StatusOr<Token> Choose(Lane& lane, int32_t node, int32_t row,
                               const PassControl& control);
  absl::StatusOr<absl::Span<const float>> MakeLaw(Lane& lane, int32_t node,
                                                  int32_t row,
                                                  const PassControl& control);
  absl::Status Commit(absl::Span<Lane* const> lanes);
  void Accept(absl::Span<Lane* const> lanes);

  const Model& model_;
  std::unique_ptr<Decoder> decoder_;
  std::vector<SequenceNodes> batch_;
  std::vector<int32_t> rows_;
  std::vector<HeadQuery> queries_;
  std::vector<Token> path_;
  size_t num_drafted_ = 0;  // lanes whose trees are ready
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SESSION_GENERATOR_H_
