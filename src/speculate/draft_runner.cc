#include "src/speculate/draft_runner.h"

#include <algorithm>

#include "src/base/status_macros.h"

namespace specinfer {
namespace {

// Tokens that were accepted without having been fed are fed with the next
// round's root; more are read by passes of their own.
constexpr int32_t kMaxBefore = 16;
constexpr int32_t kReadRows = 128;

int32_t MaxFed(const DraftRunnerOptions& options) {
  return options.max_nodes + kMaxBefore;
}

int32_t MaxRows(const DraftRunnerOptions& options) {
  return std::max(MaxFed(options), options.shared_sequence ? 1 : kReadRows);
}

}  // namespace

DraftRunner::DraftRunner(const DraftNetwork& network,
                         const DraftRunnerOptions& options)
    : network_(network), options_(options), fed_tree_(MaxFed(options)) {}

absl::StatusOr<std::unique_ptr<DraftRunner>> DraftRunner::Create(
    const DraftNetwork& network, const DraftRunnerOptions& options) {
  std::unique_ptr<DraftRunner> runner(new DraftRunner(network, options));
  SPECINFER_RETURN_IF_ERROR(runner->Allocate());
  if (runner->has_own_sequence()) {
    SPECINFER_ASSIGN_OR_RETURN(
        runner->own_sequence_,
        Sequence::Create(*network.backend, *network.layout,
                         options.max_context_tokens, MaxRows(options)));
    runner->own_sequence_->Bind(options.memory);
  }
  return runner;
}

uint64_t DraftRunner::PlanBytes(const DraftNetwork& network,
                                const DraftRunnerOptions& options) {
  const uint64_t pass_bytes =
      Decoder::PlanBytes(*network.backend, *network.architecture,
                         MaxRows(options), MaxFed(options));
  if (options.shared_sequence != nullptr) return pass_bytes;
  return pass_bytes +
         Sequence::PlanBytes(*network.layout,
                             options.max_context_tokens + MaxRows(options));
}

absl::Status DraftRunner::Allocate() {
  SPECINFER_ASSIGN_OR_RETURN(
      decoder_,
      Decoder::Create(*network_.backend, *network_.architecture,
                      *network_.layout, *network_.weights, MaxRows(options_),
                      MaxFed(options_), network_.cut));
  const size_t max_fed = static_cast<size_t>(MaxFed(options_));
  fed_of_.resize(static_cast<size_t>(options_.max_nodes), -1);
  commit_path_.reserve(max_fed);
  rows_.reserve(max_fed);
  queries_.reserve(max_fed);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<DraftRunner>> DraftRunner::Fork() const {
  std::unique_ptr<DraftRunner> fork(new DraftRunner(network_, options_));
  SPECINFER_RETURN_IF_ERROR(fork->Allocate());
  if (has_own_sequence()) {
    SPECINFER_ASSIGN_OR_RETURN(fork->own_sequence_, own_sequence_->Fork());
  }
  fork->first_token_ = first_token_;
  return fork;
}

int32_t DraftRunner::num_tokens() const {
  const int32_t all = network_.architecture->vocabulary_size;
  const int32_t cut = network_.cut.num_head_tokens;
  return cut > 0 ? std::min(cut, all) : all;
}

// ---- Following the text -----------------------------------------------------

// Of the text's first `num_tokens` tokens, those before the last that the
// sequence does not hold.
int32_t DraftRunner::NumMissing(size_t num_tokens) const {
  if (!has_own_sequence()) return 0;
  const size_t num_held =
      first_token_ + static_cast<size_t>(sequence().num_committed());
  return static_cast<int32_t>(num_tokens - 1 -
                              std::min(num_tokens - 1, num_held));
}

int32_t DraftRunner::ReadBack() const {
  return std::min(options_.read_back_tokens, options_.max_context_tokens / 2);
}

// Where too much is missing, or the sequence is full, it begins anew with the
// last tokens.
void DraftRunner::JoinText(size_t num_tokens) {
  if (!has_own_sequence()) return;
  // The last token is the root: it is fed again.
  sequence().Truncate(
      std::min(sequence().num_committed(),
               static_cast<int32_t>(num_tokens - 1 -
                                    std::min(num_tokens - 1, first_token_))));
  // Nodes have slots of their own.
  const bool is_full = num_tokens - std::min(num_tokens, first_token_) >
                       static_cast<size_t>(options_.max_context_tokens);
  if (!is_full && NumMissing(num_tokens) <= ReadBack()) return;
  sequence().Truncate(0);
  first_token_ = num_tokens - 1 -
                 std::min(num_tokens - 1, static_cast<size_t>(ReadBack()));
}

absl::Status DraftRunner::Prefill(absl::Span<const Token> text,
                                  const PassControl& control) {
  if (!decoder_->is_paused()) JoinText(text.size());
  while (NumMissing(text.size()) > kMaxBefore) {
    const size_t first =
        first_token_ + static_cast<size_t>(sequence().num_committed());
    const int32_t count = std::min(NumMissing(text.size()), kReadRows);
    SPECINFER_RETURN_IF_ERROR(sequence().Prepare(count));
    SPECINFER_RETURN_IF_ERROR(
        RunPass({.sequence = &sequence(),
                 .tokens = text.subspan(first, static_cast<size_t>(count))},
                {}, control));
    sequence().CommitChain(count);
  }
  return absl::OkStatus();
}

double DraftRunner::PredictJoining(size_t num_tokens) const {
  const int32_t num_read = std::min(NumMissing(num_tokens), ReadBack());
  return num_read > kMaxBefore ? network_.times->Seconds(num_read, 0) : 0.0;
}

void DraftRunner::Rollback(size_t num_tokens) {
  GiveUp();
  if (!has_own_sequence()) return;
  const size_t num_kept = num_tokens - std::min(num_tokens, first_token_);
  sequence().Truncate(static_cast<int32_t>(
      std::min(num_kept, static_cast<size_t>(sequence().num_committed()))));
  if (sequence().num_committed() == 0) first_token_ = 0;
}

bool DraftRunner::GiveBackMemory() {
  GiveUp();
  first_token_ = 0;
  return has_own_sequence() && sequence().Release();
}

// ---- A round ----------------------------------------------------------------

void DraftRunner::GiveUp() {
  decoder_->Abandon();
  num_fed_ = 0;
  is_level_fed_ = false;
}

void DraftRunner::BeginRound() {
  joining_us_ = 0;
  num_before_ = 0;
  num_fed_ = 0;
  first_row_node_ = 0;
  std::fill(fed_of_.begin(), fed_of_.end(), -1);
}

size_t DraftRunner::room() const {
  return static_cast<size_t>(MaxFed(options_) - std::max(num_fed_, kMaxBefore));
}

void DraftRunner::Renumber(absl::Span<const int32_t> renumbered) {
  size_t num_kept = 0;
  for (size_t node = 0; node < renumbered.size(); ++node) {
    if (renumbered[node] >= 0) fed_of_[num_kept++] = fed_of_[node];
  }
  std::fill(fed_of_.begin() + static_cast<ptrdiff_t>(num_kept), fed_of_.end(),
            -1);
}

void DraftRunner::FeedNode(int32_t parent, Token token, int32_t tree_node) {
  if (num_fed_ == 0) {
    fed_tree_.Reset(token);
  } else {
    fed_tree_.AddNode(parent, token);
  }
  if (tree_node >= 0) fed_of_[static_cast<size_t>(tree_node)] = num_fed_;
  ++num_fed_;
}

// Tokens of the text that the sequence lacks come first, as a chain above the
// root.
void DraftRunner::FeedLevel(absl::Span<const Token> text, const TokenTree& tree,
                            absl::Span<const int32_t> level,
                            absl::FunctionRef<HeadQuery(size_t i)> ask) {
  first_row_node_ = num_fed_;
  if (num_fed_ == 0) {
    num_before_ = NumMissing(text.size());
    const size_t root = text.size() - 1;
    for (int32_t i = num_before_; i > 0; --i)
      FeedNode(num_fed_ - 1, text[root - static_cast<size_t>(i)],
               /*tree_node=*/-1);
  }
  rows_.clear();
  queries_.clear();
  for (const int32_t node : level) {
    const int32_t parent = tree.parent(node);
    FeedNode(
        parent < 0 ? num_before_ - 1 : fed_of_[static_cast<size_t>(parent)],
        tree.token(node), node);
    HeadQuery query = ask(rows_.size());
    query.row = static_cast<int32_t>(rows_.size());
    queries_.push_back(query);
    rows_.push_back(num_fed_ - 1 - first_row_node_);
  }
  is_level_fed_ = true;
}

absl::Status DraftRunner::RunLevel(absl::Span<const Token> text,
                                   const TokenTree& tree,
                                   absl::Span<const int32_t> level,
                                   absl::FunctionRef<HeadQuery(size_t i)> ask,
                                   const PassControl& control) {
  if (!is_level_fed_) {
    if (num_fed_ == 0) {
      const int64_t start_us = control.WorkMicros();
      const absl::Status status = Prefill(text, control);
      joining_us_ += control.WorkMicros() - start_us;
      SPECINFER_RETURN_IF_ERROR(status);
    }
    FeedLevel(text, tree, level, ask);
  }
  if (!decoder_->is_paused())
    SPECINFER_RETURN_IF_ERROR(sequence().Prepare(fed_tree_.size()));
  SPECINFER_RETURN_IF_ERROR(
      RunPass({.sequence = &sequence(),
               .tokens = fed_tree_.tokens(),
               .depths = fed_tree_.is_chain() ? absl::Span<const int32_t>()
                                              : fed_tree_.depths(),
               .path_bits = fed_tree_.PathBits(),
               .first_node = first_row_node_},
              {.rows = rows_, .queries = queries_}, control));
  is_level_fed_ = false;
  return absl::OkStatus();
}

absl::Status DraftRunner::RunPass(const SequenceNodes& nodes,
                                  const ForwardAnswer& answer,
                                  const PassControl& control) {
  if (!decoder_->is_paused()) pass_us_ = 0;
  const int64_t start_us = control.WorkMicros();
  const absl::Status status = decoder_->Forward({&nodes, 1}, answer, control);
  pass_us_ += control.WorkMicros() - start_us;
  if (status.ok()) {
    network_.times->Record(
        static_cast<int32_t>(nodes.tokens.size()) - nodes.first_node,
        nodes.sequence->num_committed(), static_cast<double>(pass_us_) * 1e-6);
  }
  return status;
}

void DraftRunner::Commit(const Walk& walk) {
  if (num_fed_ == 0) return;
  if (has_own_sequence()) {
    commit_path_.clear();
    for (int32_t i = 0; i < num_before_; ++i) commit_path_.push_back(i);
    for (const int32_t node : walk.path) {
      const int32_t fed = fed_of_[static_cast<size_t>(node)];
      if (fed < 0) break;
      commit_path_.push_back(fed);
    }
    if (!sequence().Commit(commit_path_, decoder_->stream()).ok()) {
      // The next draft reads the text anew.
      sequence().Truncate(0);
      first_token_ = 0;
    }
  }
  num_fed_ = 0;
}

}  // namespace specinfer
