// A network that drafts: it follows a text and runs over the nodes of a round's
// tree, level by level. How trees grow is its users' business.
#ifndef SPECINFER_SRC_SPECULATE_DRAFT_RUNNER_H_
#define SPECINFER_SRC_SPECULATE_DRAFT_RUNNER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/forward/decoder.h"
#include "src/forward/sequence.h"
#include "src/speculate/pass_times.h"
#include "src/speculate/token_tree.h"
#include "src/speculate/verifier.h"

namespace specinfer {

// A smaller model, or the target's own first layers. All of it must outlive the
// runner.
struct DraftNetwork {
  Backend* backend = nullptr;
  const Architecture* architecture = nullptr;
  const CacheLayout* layout = nullptr;
  const Weights* weights = nullptr;
  absl::Span<const uint64_t> proposable;  // bit set over the vocabulary
  DecoderCut cut;
  PassTimes* times = nullptr;  // of its passes; shared by sessions
};

struct DraftRunnerOptions {
  int32_t max_nodes = 64;  // of a round's tree
  int32_t max_context_tokens = 4096;
  // A text that it has not followed is read from this many tokens back, so
  // that joining late costs little.
  int32_t read_back_tokens = 128;
  // The target's own sequence, where the network is the target's first layers:
  // their keys and values are there, and what a draft writes is written again
  // by the target's pass. Null: a sequence of its own.
  const std::unique_ptr<Sequence>* shared_sequence = nullptr;
  // What an encoder-decoder's own sequence is bound to (Sequence::Bind).
  std::shared_ptr<const Sequence> memory;
};

// Belongs to one session; not thread-safe. Prefill and RunLevel may return
// DEADLINE_EXCEEDED: the same call with the same arguments goes on. After any
// other error: GiveUp or Rollback.
class DraftRunner {
 public:
  // Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<DraftRunner>> Create(
      const DraftNetwork& network, const DraftRunnerOptions& options);
  // What Create will take.
  static uint64_t PlanBytes(const DraftNetwork& network,
                            const DraftRunnerOptions& options);
  // For a session that goes on from the same text.
  absl::StatusOr<std::unique_ptr<DraftRunner>> Fork() const;

  const DraftNetwork& network() const { return network_; }
  // The first ones of the vocabulary, which are all that it knows.
  int32_t num_tokens() const;

  // ---- Following the text ----

  // Reads what it lacks of `text`, but for a few tokens and the last.
  absl::Status Prefill(absl::Span<const Token> text,
                       const PassControl& control);
  // Seconds that it would first read a text of `num_tokens`.
  double PredictJoining(size_t num_tokens) const;
  // The text has been cut to its first `num_tokens` tokens, or was never
  // longer. Gives up the round.
  void Rollback(size_t num_tokens);
  // Of its own sequence. Gives up the round.
  bool GiveBackMemory();

  // ---- A round ----

  void BeginRound();
  // Feeds the nodes `level` of `tree`, whose parents were fed by calls before
  // it or come before them in `level`, and gets the head's answer to what
  // `ask(i)` asks of level[i], but for the row. First reads what is missing of
  // `text`, whose last token is the root.
  // REQUIRES: level.size() <= room().
  absl::Status RunLevel(absl::Span<const Token> text, const TokenTree& tree,
                        absl::Span<const int32_t> level,
                        absl::FunctionRef<HeadQuery(size_t i)> ask,
                        const PassControl& control);
  bool has_fed() const { return num_fed_ > 0; }
  bool IsFed(int32_t node) const {
    return fed_of_[static_cast<size_t>(node)] >= 0;
  }
  // The tree has been pruned (TokenTree::Prune). Before the round's Commit.
  void Renumber(absl::Span<const int32_t> renumbered);
  // How many nodes may yet be fed.
  size_t room() const;
  // What a pass over `num_rows` nodes takes now.
  double PassSeconds(int32_t num_rows) const {
    return network_.times->Seconds(num_rows, sequence().num_committed());
  }
  void FillPassSeconds(int32_t max_rows, absl::Span<double> out) const {
    network_.times->FillConvex(sequence().num_committed(), max_rows, out);
  }
  // Spent on reading the text, this round.
  double joining_seconds() const {
    return static_cast<double>(joining_us_) * 1e-6;
  }
  // The round is over: keeps what was fed of the walk's path.
  void Commit(const Walk& walk);
  void GiveUp();

 private:
  DraftRunner(const DraftNetwork& network, const DraftRunnerOptions& options);
  absl::Status Allocate();
  bool has_own_sequence() const { return options_.shared_sequence == nullptr; }
  Sequence& sequence() const {
    return has_own_sequence() ? *own_sequence_ : **options_.shared_sequence;
  }
  int32_t NumMissing(size_t num_tokens) const;
  int32_t ReadBack() const;
  void JoinText(size_t num_tokens);
  void FeedNode(int32_t parent, Token token, int32_t tree_node);
  void FeedLevel(absl::Span<const Token> text, const TokenTree& tree,
                 absl::Span<const int32_t> level,
                 absl::FunctionRef<HeadQuery(size_t i)> ask);
  absl::Status RunPass(const SequenceNodes& nodes, const ForwardAnswer& answer,
                       const PassControl& control);

  const DraftNetwork network_;
  const DraftRunnerOptions options_;
  std::unique_ptr<Decoder> decoder_;
  std::unique_ptr<Sequence> own_sequence_;
  size_t first_token_ = 0;  // its own sequence holds the text from there on

  // This round.
  int64_t joining_us_ = 0;
  int32_t num_before_ = 0;  // fed nodes before the root
  int32_t num_fed_ = 0;
  TokenTree fed_tree_;           // what was fed, in that order
  std::vector<int32_t> fed_of_;  // [tree node]; -1: not fed
  std::vector<int32_t> commit_path_;

  // The next pass, or the one that was stopped.
  bool is_level_fed_ = false;
  int64_t pass_us_ = 0;
  int32_t first_row_node_ = 0;  // fed node that is its first row
  std::vector<int32_t> rows_;
  std::vector<HeadQuery> queries_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_DRAFT_RUNNER_H_
