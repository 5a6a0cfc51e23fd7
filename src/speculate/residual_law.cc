#include "src/speculate/residual_law.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"

namespace specinfer {

absl::StatusOr<ResidualLaw> ResidualLaw::Create(int32_t vocabulary_size,
                                                Memory& memory) {
  if (vocabulary_size < 1) {
    return absl::InvalidArgumentError("a law needs a vocabulary");
  }
  const size_t width = static_cast<size_t>(vocabulary_size);
  SPECINFER_ASSIGN_OR_RETURN(
      Block residual,
      memory.Allocate(width * sizeof(double), "a verifier's residual"));
  SPECINFER_ASSIGN_OR_RETURN(
      Block draft, memory.Allocate(width * sizeof(float), "a verifier's law"));
  return ResidualLaw(vocabulary_size, std::move(residual), std::move(draft));
}

uint64_t ResidualLaw::PlanBytes(int32_t vocabulary_size) {
  return static_cast<uint64_t>(vocabulary_size) *
         (sizeof(double) + sizeof(float));
}

ResidualLaw::ResidualLaw(int32_t vocabulary_size, Block residual, Block draft)
    : residual_block_(std::move(residual)),
      draft_block_(std::move(draft)),
      residual_(reinterpret_cast<double*>(residual_block_.data()),
                static_cast<size_t>(vocabulary_size)),
      draft_(reinterpret_cast<float*>(draft_block_.data()),
             static_cast<size_t>(vocabulary_size)) {}

absl::Status ResidualLaw::CopyTarget() {
  residual_sum_ = 0.0;
  for (size_t i = 0; i < residual_.size(); ++i) {
    const double mass = static_cast<double>(target_[i]);
    if (!(mass >= 0.0)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the target gives token ", i, " the probability ", mass));
    }
    residual_[i] = mass;
    residual_sum_ += mass;
  }
  if (!(residual_sum_ > 0.0 && std::isfinite(residual_sum_))) {
    return absl::InvalidArgumentError(
        absl::StrCat("the target's law sums to ", residual_sum_));
  }
  return absl::OkStatus();
}

absl::Status ResidualLaw::Begin(absl::Span<const float> target,
                                absl::Span<const float> draft) {
  if (target.size() != residual_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a law of ", target.size(),
                     " tokens where the vocabulary has ", residual_.size()));
  }
  target_ = target;
  draft = draft.first(std::min(draft.size(), residual_.size()));
  std::fill(draft_.begin() + static_cast<std::ptrdiff_t>(draft.size()),
            draft_.end(), 0.0f);
  draft_sum_ = 0.0;
  for (size_t i = 0; i < draft.size(); ++i) {
    draft_[i] = draft[i];
    draft_sum_ += static_cast<double>(draft[i]);
  }
  return CopyTarget();
}

double ResidualLaw::Probability(Token token) const {
  return residual_[static_cast<size_t>(token)] / residual_sum_;
}

double ResidualLaw::AcceptProbability(Token token) const {
  const double draft =
      static_cast<double>(draft_[static_cast<size_t>(token)]) / draft_sum_;
  return std::min(1.0, Probability(token) / draft);
}

bool ResidualLaw::Accepts(Token token, double uniform) const {
  const double draft =
      static_cast<double>(draft_[static_cast<size_t>(token)]) / draft_sum_;
  // Strictly: what has no mass left is never accepted.
  return uniform * draft < Probability(token);
}

bool ResidualLaw::Refuse(Token token) {
  const double draft_sum = draft_sum_;
  const double residual_sum = residual_sum_;
  residual_sum_ = 0.0;
  draft_sum_ = 0.0;
  for (size_t i = 0; i < residual_.size(); ++i) {
    const double draft = static_cast<double>(draft_[i]);
    const double left = residual_[i] / residual_sum - draft / draft_sum;
    residual_[i] = std::max(left, 0.0);
    residual_sum_ += residual_[i];
    // Summed afresh: a difference of sums would lose a small remainder.
    if (i == static_cast<size_t>(token)) {
      draft_[i] = 0.0f;
    } else {
      draft_sum_ += draft;
    }
  }
  if (residual_sum_ > 0.0) return true;
  (void)CopyTarget();  // was a law at Begin
  return false;
}

Token ResidualLaw::Draw(double uniform) const {
  const double goal = uniform * residual_sum_;
  double sum = 0.0;
  size_t last = 0;
  for (size_t i = 0; i < residual_.size(); ++i) {
    if (residual_[i] <= 0.0) continue;
    last = i;
    sum += residual_[i];
    if (sum > goal) break;
  }
  return static_cast<Token>(last);
}

}  // namespace specinfer
