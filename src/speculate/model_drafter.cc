#include "src/speculate/model_drafter.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "src/backend/noise.h"
#include "src/base/clock.h"
#include "src/base/status_macros.h"

namespace specinfer {
namespace {

// Tokens that were accepted without having been fed are fed with the next
// round's root; more are read by passes of their own.
constexpr int32_t kMaxBefore = 16;
constexpr int32_t kReadRows = 128;
// The likeliest tokens that noise may reorder, and how many of them are kept.
constexpr int32_t kMaxCandidates = 32;
constexpr int32_t kMaxProposals = 8;
// Learnt from each node that the text passed through.
constexpr int32_t kLearntProposals = 3;
constexpr double kFirstRatePrior = 0.7;
constexpr double kFirstRateStep = 1.0 / 32;
// Nodes that a pass expands at most, besides those of other drafters.
constexpr int32_t kLevelNodes = 4;

int32_t MaxFed(const ModelDrafterOptions& options) {
  return options.max_nodes + kMaxBefore;
}

int32_t MaxRows(const ModelDrafterOptions& options) {
  return std::max(MaxFed(options), options.shared_sequence ? 1 : kReadRows);
}

// Whether the target's cuts would keep a candidate before which `num_better`
// of probability `mass` come; `logit` is relative to the likeliest.
bool IsWithinCuts(const SharedNoise& noise, size_t num_better, double mass,
                  float logit) {
  if (noise.temperature <= 0.0f || num_better == 0) return true;
  if (noise.top_k > 0 && num_better >= static_cast<size_t>(noise.top_k))
    return false;
  if (noise.top_p > 0.0f && noise.top_p < 1.0f && mass >= noise.top_p)
    return false;
  return noise.min_p <= 0.0f || std::exp(logit) >= noise.min_p;
}

}  // namespace

ModelDrafter::ModelDrafter(const DraftNetwork& network,
                           const ModelDrafterOptions& options)
    : network_(network),
      options_(options),
      first_rate_(kFirstRatePrior),
      fed_tree_(MaxFed(options)),
      grower_(options.max_nodes * kMaxProposals) {}

absl::StatusOr<std::unique_ptr<ModelDrafter>> ModelDrafter::Create(
    const DraftNetwork& network, const ModelDrafterOptions& options) {
  std::unique_ptr<ModelDrafter> drafter(new ModelDrafter(network, options));
  SPECINFER_RETURN_IF_ERROR(drafter->Allocate());
  if (drafter->has_own_sequence()) {
    SPECINFER_ASSIGN_OR_RETURN(
        drafter->own_sequence_,
        Sequence::Create(*network.backend, *network.layout,
                         options.max_context_tokens, MaxRows(options)));
  }
  return drafter;
}

uint64_t ModelDrafter::PlanBytes(const DraftNetwork& network,
                                 const ModelDrafterOptions& options) {
  const uint64_t pass_bytes =
      Decoder::PlanBytes(*network.backend, *network.architecture,
                         MaxRows(options), MaxFed(options));
  if (options.shared_sequence != nullptr) return pass_bytes;
  return pass_bytes +
         Sequence::PlanBytes(*network.layout,
                             options.max_context_tokens + MaxRows(options));
}

absl::Status ModelDrafter::Allocate() {
  SPECINFER_ASSIGN_OR_RETURN(
      decoder_,
      Decoder::Create(*network_.backend, *network_.architecture,
                      *network_.layout, *network_.weights, MaxRows(options_),
                      MaxFed(options_), network_.cut));
  const size_t max_fed = static_cast<size_t>(MaxFed(options_));
  fed_.reserve(max_fed);
  fed_of_.resize(static_cast<size_t>(options_.max_nodes));
  proposals_.resize(max_fed * kMaxProposals);
  level_.reserve(max_fed);
  commit_path_.reserve(max_fed);
  rows_.reserve(max_fed);
  queries_.reserve(max_fed);
  top_.resize(max_fed * kMaxCandidates);
  log_sum_exps_.resize(max_fed);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Drafter>> ModelDrafter::Fork() {
  std::unique_ptr<ModelDrafter> fork(new ModelDrafter(network_, options_));
  SPECINFER_RETURN_IF_ERROR(fork->Allocate());
  if (has_own_sequence()) {
    SPECINFER_ASSIGN_OR_RETURN(fork->own_sequence_, own_sequence_->Fork());
  }
  fork->first_token_ = first_token_;
  fork->calibration_ = calibration_;
  fork->first_rate_ = first_rate_;
  return fork;
}

// ---- Following the text -----------------------------------------------------

// Of the text's first `num_tokens` tokens, those before the last that the
// sequence does not hold.
int32_t ModelDrafter::NumMissing(size_t num_tokens) const {
  if (!has_own_sequence()) return 0;
  const size_t num_held =
      first_token_ + static_cast<size_t>(sequence().num_committed());
  return static_cast<int32_t>(num_tokens - 1 -
                              std::min(num_tokens - 1, num_held));
}

int32_t ModelDrafter::ReadBack() const {
  return std::min(options_.read_back_tokens, options_.max_context_tokens / 2);
}

// Where too much is missing, or the sequence is full, it begins anew with the
// last tokens.
void ModelDrafter::JoinText(size_t num_tokens) {
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

absl::Status ModelDrafter::Prefill(absl::Span<const Token> text,
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

double ModelDrafter::PredictJoining(size_t num_tokens) const {
  const int32_t num_read = std::min(NumMissing(num_tokens), ReadBack());
  return num_read > kMaxBefore ? network_.times->Seconds(num_read, 0) : 0.0;
}

void ModelDrafter::Rollback(size_t num_tokens) {
  GiveUp();
  if (!has_own_sequence()) return;
  const size_t num_kept = num_tokens - std::min(num_tokens, first_token_);
  sequence().Truncate(static_cast<int32_t>(
      std::min(num_kept, static_cast<size_t>(sequence().num_committed()))));
  if (sequence().num_committed() == 0) first_token_ = 0;
}

void ModelDrafter::GiveUp() {
  decoder_->Abandon();
  is_drafting_ = false;
  fed_.clear();
  level_.clear();
  is_level_fed_ = false;
}

// ---- Drafting ---------------------------------------------------------------

absl::Status ModelDrafter::Draft(const DraftRequest& request, TokenTree* tree) {
  const absl::Status status = Expand(request, tree);
  if (!status.ok() && !absl::IsDeadlineExceeded(status)) GiveUp();
  return status;
}

absl::Status ModelDrafter::Expand(const DraftRequest& request,
                                  TokenTree* tree) {
  if (!is_drafting_) BeginRound();
  while (true) {
    if (level_.empty()) PlanLevel(request, *tree);
    if (level_.empty()) break;
    if (!is_level_fed_) {
      if (fed_.empty()) {
        const int64_t start_us = NowMicros();
        const absl::Status status = Prefill(request.text, request.control);
        joining_us_ += NowMicros() - start_us;
        SPECINFER_RETURN_IF_ERROR(status);
      }
      FeedLevel(request, *tree);
    }
    SPECINFER_RETURN_IF_ERROR(RunLevel(request));
    TakeAnswers(request, *tree);
    level_.clear();
    is_level_fed_ = false;
    // Only the best are expanded further; what is left may fill the tree.
    grower_.Grow(request.budget, tree, kLevelNodes);
  }
  grower_.Grow(request.budget, tree, request.budget.max_nodes);
  is_drafting_ = false;
  return absl::OkStatus();
}

void ModelDrafter::BeginRound() {
  is_drafting_ = true;
  joining_us_ = 0;
  num_before_ = 0;
  first_row_node_ = 0;
  fed_.clear();
  std::fill(fed_of_.begin(), fed_of_.end(), -1);
  grower_.Begin();
}

// What expanding `node` may bring: the text passes through it but not through a
// child that is there already, and the first proposal is right.
double ModelDrafter::GainOf(const TreeBudget& budget, const TokenTree& tree,
                            int32_t node) const {
  if (tree.depth(node) >= budget.max_depth) return 0.0;
  int32_t num_children = 0;
  double open = tree.score(node);
  for (int32_t child = tree.first_child(node); child >= 0;
       child = tree.next_sibling(child)) {
    open -= tree.score(child);
    ++num_children;
  }
  if (num_children >= budget.max_children) return 0.0;
  return std::max(0.0, open * first_rate_ - budget.ScoreNeeded(tree.size()));
}

// The nodes of the next pass: the best of those that were not fed, as many as
// bring more than the pass costs.
void ModelDrafter::PlanLevel(const DraftRequest& request,
                             const TokenTree& tree) {
  if (tree.size() >= request.budget.max_nodes) return;
  for (int32_t node = 0; node < tree.size(); ++node) {
    if (fed_of_[static_cast<size_t>(node)] < 0) level_.push_back(node);
  }
  // Parents stay before their children: they score no less and are older.
  std::sort(level_.begin(), level_.end(), [&](int32_t a, int32_t b) {
    return tree.score(a) != tree.score(b) ? tree.score(a) > tree.score(b)
                                          : a < b;
  });
  const size_t room = static_cast<size_t>(MaxFed(options_)) -
                      std::max(fed_.size(), static_cast<size_t>(kMaxBefore));
  const int64_t context = sequence().num_committed();
  size_t num_chosen = 0;
  double gain = 0.0;
  double best = 0.0;
  for (size_t i = 0; i < std::min(level_.size(), room); ++i) {
    gain += GainOf(request.budget, tree, level_[i]);
    const double worth = gain - request.budget.tokens_per_second *
                                    network_.times->Seconds(
                                        static_cast<int32_t>(i) + 1, context);
    if (worth > best) {
      best = worth;
      num_chosen = i + 1;
    }
  }
  if (num_chosen == 0 && fed_.empty() && request.is_forced) num_chosen = 1;
  level_.resize(num_chosen);
}

void ModelDrafter::AddFed(int32_t parent, Token token, int32_t tree_node) {
  if (fed_.empty()) {
    fed_tree_.Reset(token);
  } else {
    fed_tree_.AddNode(parent, token);
  }
  if (tree_node >= 0) {
    fed_of_[static_cast<size_t>(tree_node)] = static_cast<int32_t>(fed_.size());
  }
  fed_.push_back({.tree_node = tree_node, .num_proposals = 0});
}

// Tokens of the text that the sequence lacks come first, as a chain above the
// root.
void ModelDrafter::FeedLevel(const DraftRequest& request,
                             const TokenTree& tree) {
  first_row_node_ = static_cast<int32_t>(fed_.size());
  if (fed_.empty()) {
    num_before_ = NumMissing(request.text.size());
    const size_t root = request.text.size() - 1;
    for (int32_t i = num_before_; i > 0; --i) {
      AddFed(static_cast<int32_t>(fed_.size()) - 1,
             request.text[root - static_cast<size_t>(i)], /*tree_node=*/-1);
    }
  }
  rows_.clear();
  queries_.clear();
  for (const int32_t node : level_) {
    const int32_t parent = tree.parent(node);
    AddFed(parent < 0 ? num_before_ - 1 : fed_of_[static_cast<size_t>(parent)],
           tree.token(node), node);
    const size_t answer = rows_.size();
    rows_.push_back(static_cast<int32_t>(fed_.size()) - 1 - first_row_node_);
    queries_.push_back({.row = static_cast<int32_t>(answer),
                        .allowed = network_.proposable,
                        .top = absl::MakeSpan(top_).subspan(
                            answer * kMaxCandidates, kMaxCandidates),
                        .log_sum_exp = &log_sum_exps_[answer]});
  }
  is_level_fed_ = true;
}

absl::Status ModelDrafter::RunLevel(const DraftRequest& request) {
  if (!decoder_->is_paused())
    SPECINFER_RETURN_IF_ERROR(sequence().Prepare(fed_tree_.size()));
  return RunPass({.sequence = &sequence(),
                  .tokens = fed_tree_.tokens(),
                  .depths = fed_tree_.is_chain() ? absl::Span<const int32_t>()
                                                 : fed_tree_.depths(),
                  .path_bits = fed_tree_.PathBits(),
                  .first_node = first_row_node_},
                 {.rows = rows_, .queries = queries_}, request.control);
}

absl::Status ModelDrafter::RunPass(const SequenceNodes& nodes,
                                   const ForwardAnswer& answer,
                                   const PassControl& control) {
  if (!decoder_->is_paused()) pass_us_ = 0;
  const int64_t start_us = NowMicros();
  const absl::Status status = decoder_->Forward({&nodes, 1}, answer, control);
  pass_us_ += NowMicros() - start_us;
  if (status.ok()) {
    network_.times->Record(
        static_cast<int32_t>(nodes.tokens.size()) - nodes.first_node,
        nodes.sequence->num_committed(), static_cast<double>(pass_us_) * 1e-6);
  }
  return status;
}

void ModelDrafter::TakeAnswers(const DraftRequest& request,
                               const TokenTree& tree) {
  for (size_t answer = 0; answer < level_.size(); ++answer) {
    const int32_t node = level_[answer];
    const int32_t fed = fed_of_[static_cast<size_t>(node)];
    Propose(request, tree.depth(node), answer, fed);
    for (const Proposal& proposal : ProposalsOf(fed)) {
      const double confidence = calibration_.Probability(proposal.confidence);
      grower_.Offer(node, proposal.token,
                    static_cast<float>(tree.score(node) * confidence),
                    request.source);
    }
  }
}

// The children of a node, likeliest first: the greatest of logit +
// temperature * noise, as the target will choose. Confidence is the softmax of
// that: without noise the draft's own probability.
void ModelDrafter::Propose(const DraftRequest& request, int32_t depth,
                           size_t answer, int32_t fed) {
  absl::Span<Candidate> top =
      absl::MakeSpan(top_).subspan(answer * kMaxCandidates, kMaxCandidates);
  size_t num_candidates = 0;
  double mass = 0.0;
  const double total = log_sum_exps_[answer];
  while (num_candidates < top.size() && top[num_candidates].token >= 0 &&
         IsWithinCuts(request.noise, num_candidates, mass,
                      top[num_candidates].logit - top[0].logit)) {
    mass += std::exp(top[num_candidates].logit - total);
    ++num_candidates;
  }
  top = top.first(num_candidates);
  if (request.noise.temperature > 0.0f) {
    const NoiseKey key = {
        .seed = request.noise.seed,
        .stream = request.noise.stream,
        .position = static_cast<int64_t>(request.text.size()) + depth};
    for (Candidate& candidate : top) {
      candidate.logit +=
          request.noise.temperature * GumbelNoise(key, candidate.token);
    }
    std::sort(
        top.begin(), top.end(), [](const Candidate& a, const Candidate& b) {
          return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
        });
  }
  double sum = std::max(0.0, 1.0 - mass);
  for (const Candidate& candidate : top)
    sum += std::exp(candidate.logit - total);
  const size_t num_proposals = std::min<size_t>(top.size(), kMaxProposals);
  Proposal* out = proposals_.data() + static_cast<size_t>(fed) * kMaxProposals;
  for (size_t i = 0; i < num_proposals; ++i) {
    out[i] = {top[i].token,
              static_cast<float>(std::exp(top[i].logit - total) / sum)};
  }
  fed_[static_cast<size_t>(fed)].num_proposals =
      static_cast<int32_t>(num_proposals);
}

absl::Span<const ModelDrafter::Proposal> ModelDrafter::ProposalsOf(
    int32_t fed) const {
  return absl::MakeConstSpan(proposals_)
      .subspan(
          static_cast<size_t>(fed) * kMaxProposals,
          static_cast<size_t>(fed_[static_cast<size_t>(fed)].num_proposals));
}

// ---- After the round --------------------------------------------------------

void ModelDrafter::Accept(absl::Span<const Token>, const TokenTree&,
                          const Walk& walk, const WalkFeatures&) {
  if (fed_.empty()) return;
  Learn(walk);
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
  fed_.clear();
}

void ModelDrafter::Learn(const Walk& walk) {
  for (size_t i = 0; i < walk.nodes.size(); ++i) {
    const int32_t fed = fed_of_[static_cast<size_t>(walk.nodes[i])];
    if (fed < 0) break;
    const absl::Span<const Proposal> proposals = ProposalsOf(fed);
    const size_t num_learnt =
        std::min<size_t>(proposals.size(), kLearntProposals);
    for (size_t j = 0; j < num_learnt; ++j) {
      calibration_.Record(proposals[j].confidence,
                          proposals[j].token == walk.tokens[i]);
    }
    const bool is_right =
        !proposals.empty() && proposals[0].token == walk.tokens[i];
    first_rate_ += ((is_right ? 1.0 : 0.0) - first_rate_) * kFirstRateStep;
  }
}

}  // namespace specinfer
