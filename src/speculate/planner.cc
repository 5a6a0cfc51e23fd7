#include "src/speculate/planner.h"

#include <algorithm>

namespace specinfer {
namespace {

constexpr int32_t kMaxChildren = 8;
// A free guess costs little to wait for, and a model that need not be joined
// costs nothing, so looking things up comes first.
constexpr double kFreePrior = 1.6;
constexpr double kFreePriorRounds = 1.0;
constexpr double kModelPrior = 1.5;
constexpr double kModelPriorRounds = 4.0;

// A round that looks up and promises fewer tokens has found nothing.
constexpr double kWeakTokens = 1.75;

constexpr double kKeepUsed = 0.93;  // half-life of 10 rounds
constexpr double kKeepUnused = 0.98;
constexpr double kHysteresis = 1.05;
constexpr double kRecovery = 0.5;  // of the first prior, for the next answer
constexpr int32_t kAssumedTokensLeft = 128;
constexpr int32_t kMaxTokensLeft = 512;
// What a failed draft counts as: so many rounds that brought nothing.
constexpr double kFailureRounds = 16.0;

}  // namespace

Planner::Planner(const PlannerOptions& options, PassTimes* times)
    : options_(options), times_(times) {
  const Arm free = {.strategy = Strategy::kNgram,
                    .uses_free = true,
                    .max_children = kMaxChildren,
                    .first_prior = kFreePrior,
                    .prior_rounds = kFreePriorRounds};
  arms_.push_back({.strategy = Strategy::kOff});
  if (options.looks_up) arms_.push_back(free);
  if (options.has_model) {
    Arm merged = free;
    merged.uses_free = options.looks_up;
    merged.strategy = Strategy::kTree;
    merged.uses_model = true;
    merged.first_prior = kModelPrior;
    merged.prior_rounds = kModelPriorRounds;
    arms_.push_back(merged);
  }
  const auto force = [this](Arm arm) {
    arm.is_forced = true;
    arms_.push_back(arm);
  };
  force({.strategy = Strategy::kOff});
  force({.strategy = Strategy::kNgram,
         .uses_free = true,
         .max_children = kMaxChildren});
  force({.strategy = Strategy::kDraft, .uses_model = true, .max_children = 1});
  force({.strategy = Strategy::kTree,
         .uses_model = true,
         .max_children = kMaxChildren});
  force({.strategy = Strategy::kEarlyExit,
         .uses_early_exit = true,
         .max_children = 1});
  for (Arm& arm : arms_) arm.prior = arm.first_prior;
  pass_seconds_.resize(static_cast<size_t>(options.max_nodes) + 1);
}

void Planner::Begin() {
  for (Arm& arm : arms_) arm.prior += (arm.first_prior - arm.prior) * kRecovery;
}

Plan Planner::Next(const PlanRequest& request) {
  const double plain = times_->Seconds(1, request.num_context_tokens);
  const char* reason = "the caller's choice";
  size_t choice = 0;
  if (request.strategy != Strategy::kAuto) {
    while (!arms_[choice].is_forced ||
           arms_[choice].strategy != request.strategy)
      ++choice;
  } else if (!times_->has_measured()) {
    reason = "the first pass of this model: it measures plain decoding";
  } else {
    choice = Choose(request, plain, &reason);
  }
  Plan plan = MakePlan(arms_[choice], request, plain);
  plan.arm = choice;
  plan.reason = reason;
  return plan;
}

// Tokens per time over plain decoding's for the rest of the answer, the draft
// model's reading of the text included.
double Planner::ExpectedGain(const Arm& arm, const PlanRequest& request,
                             double plain_seconds) const {
  const double gain = arm.gain();
  // A model that follows the text already looks things up as well: there is
  // nothing to hope from looking up alone that was not seen.
  if (arm.strategy == Strategy::kNgram && options_.has_model &&
      request.joining_seconds == 0.0)
    return std::min(gain, arm.seen_gain());
  if (!arm.uses_model) return gain;
  const double hoped =
      request.joining_seconds > 0.0 ? std::max(gain, PromiseOfModel()) : gain;
  const double tokens_left =
      std::min(request.num_tokens_left > 0 ? request.num_tokens_left
                                           : kAssumedTokensLeft,
               kMaxTokensLeft);
  return tokens_left /
         (tokens_left / hoped + request.joining_seconds / plain_seconds);
}

double Planner::PromiseOfModel() const {
  double prior = 0.0;
  for (const Arm& arm : arms_) {
    if (arm.uses_model && !arm.is_forced) prior = arm.prior;
  }
  if (prior <= 1.0) return 0.0;
  for (const Arm& arm : arms_) {
    if (arm.strategy != Strategy::kNgram || arm.is_forced) continue;
    const double strong_rounds =
        std::max(0.0, arm.plain_rounds - weak_plain_rounds_);
    const double rounds = strong_rounds + weak_tokens_ / prior;
    return (prior + arm.tokens) / (1.0 + rounds);
  }
  return 0.0;
}

size_t Planner::Choose(const PlanRequest& request, double plain_seconds,
                       const char** reason) {
  size_t best = 0;
  double best_gain = 1.0;
  for (size_t i = 0; i < arms_.size(); ++i) {
    if (arms_[i].is_forced) continue;
    double gain = ExpectedGain(arms_[i], request, plain_seconds);
    if (i == current_) gain *= kHysteresis;
    if (gain > best_gain) {
      best_gain = gain;
      best = i;
    }
  }
  if (best == current_) {
    *reason = best == 0 ? "nothing is expected to beat plain decoding"
                        : "still expected to be the fastest";
    return best;
  }
  *reason = best == 0 ? "drafting has not paid here"
                      : "expected to be faster than what was used";
  if (current_ != 0) {
    Arm& left = arms_[current_];
    left.prior = std::min(left.prior, 0.5 * (left.prior + left.gain()));
  }
  current_ = best;
  ++num_changes_;
  return best;
}

Plan Planner::MakePlan(const Arm& arm, const PlanRequest& request,
                       double plain_seconds) {
  Plan plan;
  plan.strategy = arm.strategy;
  plan.uses_free = arm.uses_free;
  plan.uses_model = arm.uses_model;
  plan.uses_early_exit = arm.uses_early_exit;
  plan.is_forced = arm.is_forced;
  plan.plain_seconds = plain_seconds;
  plan.predicted_gain = arm.strategy == Strategy::kOff ? 1.0 : arm.gain();
  if (arm.max_children == 0) return plan;
  times_->FillConvex(request.num_context_tokens, options_.max_nodes,
                     absl::MakeSpan(pass_seconds_));
  plan.budget = {
      .max_nodes = options_.max_nodes,
      .max_depth = request.max_depth,
      .max_children = arm.max_children,
      .tokens_per_second = std::max(1.0, arm.gain()) / plain_seconds,
      .pass_seconds = pass_seconds_,
  };
  if (request.shape.depth > 0) {
    plan.budget.max_depth =
        std::min(plan.budget.max_depth, request.shape.depth);
  }
  if (request.shape.nodes > 0) {
    plan.budget.max_nodes =
        std::min(plan.budget.max_nodes, request.shape.nodes);
    plan.budget.tokens_per_second = 0.0;
  }
  return plan;
}

void Planner::Record(const Plan& plan, int32_t num_tokens, double seconds) {
  if (plan.plain_seconds <= 0.0) return;
  const double plain_rounds = seconds / plan.plain_seconds;
  for (size_t i = 0; i < arms_.size(); ++i) {
    const double keep = i == plan.arm ? kKeepUsed : kKeepUnused;
    arms_[i].tokens *= keep;
    arms_[i].plain_rounds *= keep;
  }
  if (plan.strategy == Strategy::kNgram && !plan.is_forced) {
    const bool is_weak = plan.expected_tokens < kWeakTokens;
    weak_tokens_ = weak_tokens_ * kKeepUsed + (is_weak ? num_tokens : 0);
    weak_plain_rounds_ =
        weak_plain_rounds_ * kKeepUsed + (is_weak ? plain_rounds : 0.0);
  } else {
    weak_tokens_ *= kKeepUnused;
    weak_plain_rounds_ *= kKeepUnused;
  }
  arms_[plan.arm].tokens += num_tokens;
  arms_[plan.arm].plain_rounds += plain_rounds;
  recent_tokens_ = recent_tokens_ * kKeepUsed + num_tokens;
  recent_plain_rounds_ = recent_plain_rounds_ * kKeepUsed + plain_rounds;
}

void Planner::Avoid(DrafterKind kind) {
  for (Arm& arm : arms_) {
    const bool uses = kind == DrafterKind::kFree    ? arm.uses_free
                      : kind == DrafterKind::kModel ? arm.uses_model
                                                    : arm.uses_early_exit;
    if (uses) arm.plain_rounds += kFailureRounds;
  }
}

double Planner::realised_gain() const {
  return recent_plain_rounds_ > 0.0 ? recent_tokens_ / recent_plain_rounds_
                                    : 0.0;
}

}  // namespace specinfer
