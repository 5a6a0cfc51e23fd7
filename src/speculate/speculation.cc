#include "src/speculate/speculation.h"

#include <algorithm>
#include <utility>

#include "src/base/status_macros.h"
#include "src/speculate/sampled_drafter.h"

namespace specinfer {
namespace {

constexpr double kFade = 0.93;  // a round, as the planner fades

// A round that a model leads, before there was any: so many tokens are guessed
// right, one step each.
constexpr double kModelPriorRounds = 2.0;
constexpr double kModelPriorTokens = 2.0;
// Free guesses that a model judges.
constexpr double kLeastJudged = 0.2;

// Nodes of a pass that samples, as far as its time is looked up.
constexpr int32_t kMaxDraftWidth = 16;

bool IsStop(const absl::Status& status) {
  return absl::IsDeadlineExceeded(status) || absl::IsCancelled(status);
}

}  // namespace

Speculation::Speculation(const PlannerOptions& options, PassTimes* times)
    : options_(options),
      times_(times),
      planner_(options, times),
      sampled_planner_(std::make_unique<SampledPlanner>(options, times)) {
  draft_seconds_.reserve(kMaxDraftWidth + 1);
}

void Speculation::AddDrafter(std::unique_ptr<Drafter> drafter,
                             DrafterKind kind) {
  statistics_.drafters.push_back({.name = drafter->name()});
  members_.push_back({std::move(drafter), kind});
}

void Speculation::Begin(const SpeculationRequest& request) {
  request_ = request;
  if (request.verifier == Verifier::kMatch) {
    planner_.Begin();
    return;
  }
  sampled_planner_->Begin(request.verifier);
  for (const Member& member : members_) {
    SampledDrafter* const sampled = member.drafter->sampled();
    if (sampled != nullptr) sampled->Begin(*request.sampling, request.allowed);
  }
}

int32_t Speculation::num_sampled_tokens() const {
  int32_t num_tokens = 0;
  for (const Member& member : members_) {
    const SampledDrafter* const sampled = member.drafter->sampled();
    if (sampled != nullptr)
      num_tokens = std::max(num_tokens, sampled->runner().num_tokens());
  }
  return num_tokens;
}

absl::Status Speculation::Draft(absl::Span<const Token> text,
                                int32_t num_context_tokens, int32_t max_depth,
                                int32_t num_tokens_left,
                                const PassControl& control,
                                Proposal* proposal) {
  if (!is_drafting_) {
    const PlanRequest request =
        MakePlanRequest(text, num_context_tokens, max_depth, num_tokens_left);
    joining_seconds_ = 0.0;
    is_led_by_model_ = false;
    if (request_.verifier == Verifier::kMatch) {
      BeginDraft(request, text, proposal);
    } else {
      BeginSampledDraft(request, text, proposal);
    }
    is_drafting_ = true;
  }
  SPECINFER_RETURN_IF_ERROR(sampled_tree_ == nullptr
                                ? DraftAny(text, control)
                                : DraftSampled(text, control, proposal));
  is_drafting_ = false;
  plan_.expected_seconds =
      times_->Seconds(proposal->tree().size(), num_context_tokens);
  return absl::OkStatus();
}

// ---- Guesses of any kind ----------------------------------------------------

void Speculation::BeginDraft(const PlanRequest& request,
                             absl::Span<const Token> text, Proposal* proposal) {
  plan_ = planner_.Next(request);
  sampled_tree_ = nullptr;
  tree_ = &proposal->Begin(text.back());
  next_member_ = 0;
  size_before_ = tree_->size();
}

absl::Status Speculation::DraftAny(absl::Span<const Token> text,
                                   const PassControl& control) {
  TokenTree* const tree = tree_;
  for (; next_member_ < members_.size(); ++next_member_) {
    const DrafterKind kind = members_[next_member_].kind;
    if (!plan_.Uses(kind)) continue;
    if (kind != DrafterKind::kFree && !plan_.is_forced && !is_led_by_model_) {
      if (FreeOnesLead(*tree)) continue;
      is_led_by_model_ = true;
      KeepLikelyNodes(tree);
      size_before_ = tree->size();
    }
    const absl::Status status = Ask(next_member_, text, control, tree);
    if (IsStop(status)) return status;
    if (!status.ok()) {
      tree->Shrink(size_before_);
      NoteFailure(next_member_, status, text.size());
    }
    size_before_ = tree->size();
  }
  plan_.expected_tokens = tree->ExpectedTokens();
  return absl::OkStatus();
}

// Each promises tokens for its time; time is worth what the plan makes of it.
bool Speculation::FreeOnesLead(const TokenTree& tree) const {
  if (tree.size() == 1) return false;
  const double rate = plan_.budget.tokens_per_second;
  const absl::Span<const double> seconds = plan_.budget.pass_seconds;
  const double free_worth =
      tree.ExpectedTokens() - rate * seconds[static_cast<size_t>(tree.size())];
  const double step = members_[next_member_].drafter->step_seconds();
  const double model_rounds = model_rounds_ + kModelPriorRounds;
  const double model_tokens =
      model_tokens_ + kModelPriorRounds * (1.0 + kModelPriorTokens);
  const double model_seconds =
      model_seconds_ +
      kModelPriorRounds * (kModelPriorTokens * step +
                           seconds[std::min<size_t>(4, seconds.size() - 1)]);
  return free_worth > (model_tokens - rate * model_seconds) / model_rounds;
}

// Those that a model will judge; the others would fill its first pass.
void Speculation::KeepLikelyNodes(TokenTree* tree) const {
  int32_t size = 1;
  while (size < tree->size() && tree->score(size) >= kLeastJudged) ++size;
  tree->Shrink(size);
}

void Speculation::LearnFromModel(const Walk& walk, double seconds) {
  model_tokens_ =
      model_tokens_ * kFade + static_cast<double>(walk.tokens.size());
  model_seconds_ = model_seconds_ * kFade + seconds;
  model_rounds_ = model_rounds_ * kFade + 1.0;
}

PlanRequest Speculation::MakePlanRequest(absl::Span<const Token> text,
                                         int32_t num_context_tokens,
                                         int32_t max_depth,
                                         int32_t num_tokens_left) const {
  PlanRequest request = {.strategy = request_.strategy,
                         .shape = request_.shape,
                         .num_context_tokens = num_context_tokens,
                         .max_depth = max_depth,
                         .num_tokens_left = num_tokens_left};
  for (const Member& member : members_)
    request.joining_seconds += member.drafter->PredictJoining(text.size());
  return request;
}

absl::Status Speculation::Ask(size_t member, absl::Span<const Token> text,
                              const PassControl& control, TokenTree* tree) {
  DrafterStatistics& counts = statistics_.drafters[member];
  const int64_t start_us = control.WorkMicros();
  const absl::Status status = members_[member].drafter->Draft(
      {.text = text,
       .budget = plan_.budget,
       .noise = request_.noise,
       .source = static_cast<DraftSource>(member),
       .is_forced = plan_.is_forced,
       .control = control},
      tree);
  counts.draft_us += static_cast<uint64_t>(control.WorkMicros() - start_us);
  if (IsStop(status)) return status;
  ++counts.num_drafts;
  joining_seconds_ += members_[member].drafter->joining_seconds();
  return status;
}

// ---- Guesses that one network samples ---------------------------------------

size_t Speculation::FindSampler(DrafterKind kind) const {
  size_t index = 0;
  while (index < members_.size() &&
         (members_[index].kind != kind ||
          members_[index].drafter->sampled() == nullptr))
    ++index;
  return index;
}

void Speculation::BeginSampledDraft(const PlanRequest& request,
                                    absl::Span<const Token> text,
                                    Proposal* proposal) {
  next_member_ = FindSampler(request.strategy == Strategy::kEarlyExit
                                 ? DrafterKind::kEarlyExit
                                 : DrafterKind::kModel);
  draft_seconds_.clear();
  if (next_member_ < members_.size() && proposal->max_sampled_nodes() > 0) {
    draft_seconds_.resize(kMaxDraftWidth + 1);
    members_[next_member_].drafter->sampled()->runner().FillPassSeconds(
        kMaxDraftWidth, absl::MakeSpan(draft_seconds_));
  }
  plan_ = sampled_planner_->Next(request, draft_seconds_);
  // A round of plain decoding draws nothing, so it is matched like any other.
  sampled_tree_ = nullptr;
  tree_ = &proposal->Begin(text.back());
  if (sampled_planner_->shape().size() == 1) {
    next_member_ = members_.size();
    return;
  }
  sampled_tree_ =
      &proposal->BeginSampled(text.back(),
                              {.seed = request_.noise.seed,
                               .stream = request_.noise.stream,
                               .position = static_cast<int64_t>(text.size())},
                              request_.verifier);
}

absl::Status Speculation::DraftSampled(absl::Span<const Token> text,
                                       const PassControl& control,
                                       Proposal* proposal) {
  const Member& member = members_[next_member_];
  DrafterStatistics& counts = statistics_.drafters[next_member_];
  const int64_t start_us = control.WorkMicros();
  const absl::Status status = member.drafter->sampled()->Draft(
      {.text = text,
       .shape = &sampled_planner_->shape(),
       .source = static_cast<DraftSource>(next_member_),
       .control = control},
      sampled_tree_);
  counts.draft_us += static_cast<uint64_t>(control.WorkMicros() - start_us);
  if (IsStop(status)) return status;
  ++counts.num_drafts;
  joining_seconds_ += member.drafter->joining_seconds();
  if (!status.ok()) {
    // Half a sample is none.
    proposal->Begin(text.back());
    plan_.expected_tokens = 1.0;
    NoteFailure(next_member_, status, text.size());
  }
  return absl::OkStatus();
}

// ---- After the round --------------------------------------------------------

void Speculation::NoteFailure(size_t member, const absl::Status& status,
                              size_t num_tokens) {
  ++statistics_.drafters[member].num_errors;
  statistics_.last_error = status;
  members_[member].drafter->Rollback(num_tokens);
  if (request_.verifier == Verifier::kMatch) {
    planner_.Avoid(members_[member].kind);
  } else {
    sampled_planner_->Avoid(members_[member].kind);
  }
}

bool Speculation::GiveBackMemory(const absl::Status& status,
                                 size_t num_tokens) {
  bool had_any = false;
  for (size_t member = 0; member < members_.size(); ++member) {
    if (!members_[member].drafter->GiveBackMemory()) continue;
    had_any = true;
    NoteFailure(member, status, num_tokens);
  }
  plan_.expected_tokens = 1.0;
  return had_any;
}

void Speculation::Accept(absl::Span<const Token> text, const TokenTree& tree,
                         const Walk& walk, const RoundTimes& times) {
  // All of them follow the text, also those that were not asked.
  for (const Member& member : members_)
    member.drafter->Accept(text, tree, walk, {});
  Count(tree, walk, times);
  // The planner weighs joining a text apart from what a round then costs.
  const double seconds =
      static_cast<double>(times.total_us()) * 1e-6 - joining_seconds_;
  if (request_.verifier == Verifier::kMatch) {
    planner_.Record(plan_, static_cast<int32_t>(walk.tokens.size()), seconds);
    statistics_.realised_gain = planner_.realised_gain();
  } else {
    sampled_planner_->Record(plan_, tree, walk, seconds);
    statistics_.realised_gain = sampled_planner_->realised_gain();
  }
  if (is_led_by_model_) LearnFromModel(walk, seconds);
}

void Speculation::Count(const TokenTree& tree, const Walk& walk,
                        const RoundTimes& times) {
  SpeculationStatistics& s = statistics_;
  ++s.num_rounds;
  s.num_tokens += walk.tokens.size();
  if (tree.size() > 1) ++s.num_speculative_rounds;
  s.draft_us += static_cast<uint64_t>(times.draft_us);
  s.forward_us += static_cast<uint64_t>(times.forward_us);
  s.verify_us += static_cast<uint64_t>(times.verify_us);
  s.commit_us += static_cast<uint64_t>(times.commit_us);
  s.strategy = plan_.strategy;
  s.num_plan_changes = planner_.num_changes() + sampled_planner_->num_changes();
  s.last_tree_nodes = static_cast<uint32_t>(tree.size());
  s.plain_seconds = plan_.plain_seconds;
  s.predicted_gain =
      s.predicted_gain == 0.0
          ? plan_.predicted_gain
          : s.predicted_gain * kFade + plan_.predicted_gain * (1.0 - kFade);
  for (int32_t node = 1; node < tree.size(); ++node)
    ++s.drafters[tree.source(node)].num_proposed;
  for (size_t i = 0; i < walk.path.size(); ++i) {
    const int32_t next = i + 1 < walk.path.size() ? walk.path[i + 1] : -1;
    const size_t depth = std::min(i, kNumDepthCounters - 1);
    for (int32_t child = tree.first_child(walk.path[i]); child >= 0;
         child = tree.next_sibling(child)) {
      DrafterStatistics& drafter = s.drafters[tree.source(child)];
      ++drafter.num_reached;
      ++s.reached_by_depth[depth];
      if (child != next) continue;
      ++drafter.num_accepted;
      ++s.accepted_by_depth[depth];
    }
  }
}

void Speculation::Rollback(size_t num_tokens) {
  is_drafting_ = false;
  for (const Member& member : members_) member.drafter->Rollback(num_tokens);
}

absl::StatusOr<std::unique_ptr<Speculation>> Speculation::Fork() const {
  auto fork = std::make_unique<Speculation>(options_, times_);
  for (const Member& member : members_) {
    if (member.kind == DrafterKind::kEarlyExit) continue;
    SPECINFER_ASSIGN_OR_RETURN(std::unique_ptr<Drafter> drafter,
                               member.drafter->Fork());
    fork->AddDrafter(std::move(drafter), member.kind);
  }
  fork->planner_ = planner_;
  fork->sampled_planner_ = std::make_unique<SampledPlanner>(*sampled_planner_);
  return fork;
}

}  // namespace specinfer
