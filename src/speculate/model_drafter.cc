#include "src/speculate/model_drafter.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "src/backend/noise.h"
#include "src/base/status_macros.h"

namespace specinfer {
namespace {

// The likeliest tokens that noise may reorder, and how many of them are kept.
constexpr int32_t kMaxCandidates = 32;
constexpr int32_t kMaxProposals = 8;
// Learnt from each node that the text passed through.
constexpr int32_t kLearntProposals = 3;
constexpr double kFirstRatePrior = 0.7;
constexpr double kFirstRateStep = 1.0 / 32;
// Nodes that a pass expands at most, besides those of other drafters. Where
// nodes cost nothing, so few that a small tree is not filled before its depth
// is known.
constexpr int32_t kLevelNodes = 4;
int32_t LevelNodes(const TreeBudget& budget) {
  if (budget.tokens_per_second > 0.0) return kLevelNodes;
  return std::max(1, budget.max_nodes / 8);
}
// What the network thinks of a token that it would not propose.
constexpr double kUnproposed = 0.01;

DraftRunnerOptions RunnerOptions(const ModelDrafterOptions& options) {
  return {.max_nodes = options.max_nodes,
          .max_context_tokens = options.max_context_tokens,
          .read_back_tokens = options.read_back_tokens,
          .shared_sequence = options.shared_sequence,
          .memory = options.memory};
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

ModelDrafter::ModelDrafter(std::unique_ptr<DraftRunner> runner,
                           const ModelDrafterOptions& options)
    : options_(options),
      runner_(std::move(runner)),
      sampled_(*runner_, options.max_nodes),
      first_rate_(kFirstRatePrior),
      grower_(options.max_nodes * kMaxProposals) {
  const size_t max_nodes = static_cast<size_t>(options.max_nodes);
  proposals_.resize(max_nodes * kMaxProposals);
  num_proposals_.resize(max_nodes);
  level_.reserve(max_nodes);
  top_.resize(max_nodes * kMaxCandidates);
  log_sum_exps_.resize(max_nodes);
  judgements_.reserve(max_nodes);
  scores_.reserve(max_nodes);
  factors_.resize(max_nodes);
  renumbered_.reserve(max_nodes);
}

absl::StatusOr<std::unique_ptr<ModelDrafter>> ModelDrafter::Create(
    const DraftNetwork& network, const ModelDrafterOptions& options) {
  SPECINFER_ASSIGN_OR_RETURN(
      std::unique_ptr<DraftRunner> runner,
      DraftRunner::Create(network, RunnerOptions(options)));
  return std::unique_ptr<ModelDrafter>(
      new ModelDrafter(std::move(runner), options));
}

uint64_t ModelDrafter::PlanBytes(const DraftNetwork& network,
                                 const ModelDrafterOptions& options) {
  return DraftRunner::PlanBytes(network, RunnerOptions(options));
}

absl::StatusOr<std::unique_ptr<Drafter>> ModelDrafter::Fork() {
  SPECINFER_ASSIGN_OR_RETURN(std::unique_ptr<DraftRunner> runner,
                             runner_->Fork());
  std::unique_ptr<ModelDrafter> fork(
      new ModelDrafter(std::move(runner), options_));
  fork->calibration_ = calibration_;
  fork->mixer_ = mixer_;
  fork->first_rate_ = first_rate_;
  return fork;
}

void ModelDrafter::Rollback(size_t num_tokens) {
  GiveUp();
  runner_->Rollback(num_tokens);
}

bool ModelDrafter::GiveBackMemory() {
  GiveUp();
  return runner_->GiveBackMemory();
}

void ModelDrafter::GiveUp() {
  runner_->GiveUp();
  sampled_.GiveUp();
  is_drafting_ = false;
  has_drafted_ = false;
  level_.clear();
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
    const auto ask = [this](size_t answer) -> HeadQuery {
      return {.allowed = runner_->network().proposable,
              .top = absl::MakeSpan(top_).subspan(answer * kMaxCandidates,
                                                  kMaxCandidates),
              .log_sum_exp = &log_sum_exps_[answer]};
    };
    SPECINFER_RETURN_IF_ERROR(
        runner_->RunLevel(request.text, *tree, level_, ask, request.control));
    TakeAnswers(request, tree);
    level_.clear();
    // Only the best are expanded further; what is left may fill the tree.
    grower_.Grow(request.budget, tree, LevelNodes(request.budget));
  }
  grower_.Grow(request.budget, tree, request.budget.max_nodes);
  DropUnworthy(request.budget, tree);
  is_drafting_ = false;
  return absl::OkStatus();
}

void ModelDrafter::BeginRound() {
  runner_->BeginRound();
  is_drafting_ = true;
  has_drafted_ = true;
  std::fill(num_proposals_.begin(), num_proposals_.end(), 0);
  grower_.Begin();
  judgements_.clear();
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
    if (!runner_->IsFed(node)) level_.push_back(node);
  }
  // Parents stay before their children: they score no less and are older.
  std::sort(level_.begin(), level_.end(), [&](int32_t a, int32_t b) {
    return tree.score(a) != tree.score(b) ? tree.score(a) > tree.score(b)
                                          : a < b;
  });
  size_t num_chosen = 0;
  double gain = 0.0;
  double best = 0.0;
  for (size_t i = 0; i < std::min(level_.size(), runner_->room()); ++i) {
    gain += GainOf(request.budget, tree, level_[i]);
    const double worth =
        gain - request.budget.tokens_per_second *
                   runner_->PassSeconds(static_cast<int32_t>(i) + 1);
    if (worth > best) {
      best = worth;
      num_chosen = i + 1;
    }
  }
  if (num_chosen == 0 && !runner_->has_fed() && request.is_forced)
    num_chosen = 1;
  level_.resize(num_chosen);
}

void ModelDrafter::TakeAnswers(const DraftRequest& request, TokenTree* tree) {
  for (size_t answer = 0; answer < level_.size(); ++answer) {
    const int32_t node = level_[answer];
    Propose(request, tree->depth(node), answer, node);
    const double share = JudgeChildren(node, tree);
    for (const Proposal& proposal : ProposalsOf(node)) {
      if (tree->FindChild(node, proposal.token) >= 0) continue;
      const double confidence =
          share * calibration_.Probability(proposal.confidence);
      grower_.Offer(node, proposal.token,
                    static_cast<float>(tree->score(node) * confidence),
                    request.source);
    }
  }
}

double ModelDrafter::ConfidenceOf(int32_t node, Token token) const {
  for (const Proposal& proposal : ProposalsOf(node)) {
    if (proposal.token == token)
      return calibration_.Probability(proposal.confidence);
  }
  return kUnproposed;
}

// Scores the children that are there anew. Returns what is left for the
// network's own proposals, as a factor of their confidence.
double ModelDrafter::JudgeChildren(int32_t node, TokenTree* tree) {
  double own_left = 1.0;
  double left = 1.0;
  if (tree->score(node) <= 0.0f) return 1.0;
  for (int32_t child = tree->first_child(node); child >= 0;
       child = tree->next_sibling(child)) {
    const Judgement judgement = {
        .parent_id = tree->id(node),
        .token = tree->token(child),
        .others = tree->score(child) / tree->score(node),
        .own = ConfidenceOf(node, tree->token(child))};
    if (judgement.others <= 0.0) continue;
    if (judgements_.size() < judgements_.capacity())
      judgements_.push_back(judgement);
    const double mixed =
        std::min(left, mixer_.Mix(judgement.others, judgement.own));
    Rescale(child, mixed / judgement.others, tree);
    left -= mixed;
    own_left -= judgement.own;
  }
  return left < own_left ? left / own_left : 1.0;
}

// Multiplies the scores of `node` and all below it.
void ModelDrafter::Rescale(int32_t node, double factor, TokenTree* tree) {
  for (int32_t below = node; below < tree->size(); ++below) {
    const int32_t parent = tree->parent(below);
    double& here = factors_[static_cast<size_t>(below)];
    here = below == node    ? factor
           : parent >= node ? factors_[static_cast<size_t>(parent)]
                            : 1.0;
    tree->set_score(below, static_cast<float>(tree->score(below) * here));
  }
}

// The best that are each worth their place in the pass.
void ModelDrafter::DropUnworthy(const TreeBudget& budget, TokenTree* tree) {
  if (judgements_.empty()) return;
  scores_.clear();
  for (int32_t node = 1; node < tree->size(); ++node)
    scores_.push_back(tree->score(node));
  std::sort(scores_.begin(), scores_.end(), std::greater<float>());
  size_t num_worthy = 0;
  while (num_worthy < scores_.size() &&
         scores_[num_worthy] >=
             budget.ScoreNeeded(static_cast<int32_t>(num_worthy) + 1))
    ++num_worthy;
  if (num_worthy == scores_.size()) return;
  // Equal scores go together.
  tree->Prune(std::nextafter(scores_[num_worthy],
                             std::numeric_limits<float>::infinity()),
              &renumbered_);
  runner_->Renumber(renumbered_);
  for (size_t node = 0; node < renumbered_.size(); ++node) {
    if (renumbered_[node] < 0) continue;
    const size_t to = static_cast<size_t>(renumbered_[node]);
    num_proposals_[to] = num_proposals_[node];
    std::copy_n(
        proposals_.begin() + static_cast<ptrdiff_t>(node * kMaxProposals),
        kMaxProposals,
        proposals_.begin() + static_cast<ptrdiff_t>(to * kMaxProposals));
  }
}

// The children of a node, likeliest first: the greatest of logit +
// temperature * noise, as the target will choose. Confidence is the softmax of
// that: without noise the draft's own probability.
void ModelDrafter::Propose(const DraftRequest& request, int32_t depth,
                           size_t answer, int32_t node) {
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
  Proposal* out = proposals_.data() + static_cast<size_t>(node) * kMaxProposals;
  for (size_t i = 0; i < num_proposals; ++i) {
    out[i] = {top[i].token,
              static_cast<float>(std::exp(top[i].logit - total) / sum)};
  }
  num_proposals_[static_cast<size_t>(node)] =
      static_cast<int32_t>(num_proposals);
}

absl::Span<const ModelDrafter::Proposal> ModelDrafter::ProposalsOf(
    int32_t node) const {
  const size_t index = static_cast<size_t>(node);
  return absl::MakeConstSpan(proposals_)
      .subspan(index * kMaxProposals,
               static_cast<size_t>(num_proposals_[index]));
}

// ---- After the round --------------------------------------------------------

void ModelDrafter::Accept(absl::Span<const Token>, const TokenTree& tree,
                          const Walk& walk, const WalkFeatures&) {
  if (has_drafted_ && runner_->has_fed()) Learn(tree, walk);
  has_drafted_ = false;
  runner_->Commit(walk);
}

void ModelDrafter::Learn(const TokenTree& tree, const Walk& walk) {
  for (size_t i = 0; i < walk.nodes.size(); ++i) {
    if (!runner_->IsFed(walk.nodes[i])) break;
    const absl::Span<const Proposal> proposals = ProposalsOf(walk.nodes[i]);
    const size_t num_learnt =
        std::min<size_t>(proposals.size(), kLearntProposals);
    for (size_t j = 0; j < num_learnt; ++j) {
      calibration_.Record(proposals[j].confidence,
                          proposals[j].token == walk.tokens[i]);
    }
    const bool is_right =
        !proposals.empty() && proposals[0].token == walk.tokens[i];
    first_rate_ += ((is_right ? 1.0 : 0.0) - first_rate_) * kFirstRateStep;
    for (const Judgement& judgement : judgements_) {
      if (judgement.parent_id != tree.id(walk.nodes[i])) continue;
      mixer_.Learn(judgement.others, judgement.own,
                   judgement.token == walk.tokens[i]);
    }
  }
}

}  // namespace specinfer
