#include "src/speech/hotword_trial.h"

#include <algorithm>

namespace specinfer {

void HotwordTrial::Begin(const HotwordBias* bias,
                         absl::Span<const Token> said) {
  bias_ = bias;
  state_ = {};
  start_ = barred_position_ = -1;
  barred_.clear();
  if (bias == nullptr) return;
  barred_.reserve(bias->max_bonuses());
  for (const Token token : said) state_ = bias->Advance(state_, token);
}

absl::Span<const Adjustment> HotwordTrial::Bonuses(
    absl::Span<const Token> path, int64_t position,
    std::vector<Adjustment>* scratch) const {
  HotwordState state = state_;
  for (const Token token : path) state = bias_->Advance(state, token);
  const absl::Span<const Adjustment> bonuses = bias_->Bonuses(state, scratch);
  if (position != barred_position_) return bonuses;
  if (bonuses.data() != scratch->data())
    scratch->assign(bonuses.begin(), bonuses.end());
  std::erase_if(*scratch, [&](const Adjustment& bonus) {
    return std::find(barred_.begin(), barred_.end(), bonus.token) !=
           barred_.end();
  });
  return *scratch;
}

bool HotwordTrial::Accept(Token token, bool is_lifted, int64_t* position) {
  if (bias_ == nullptr) return false;
  if (is_lifted && !is_on()) {
    start_ = *position;
    start_token_ = token;
    start_state_ = state_;
  }
  state_ = bias_->Advance(state_, token);
  if (!is_on()) return false;
  const int64_t num_on_trial = *position + 1 - start_;
  if (bias_->NumWhole(state_) >= num_on_trial) start_ = -1;
  if (!is_on() || bias_->NumBegun(state_) >= num_on_trial) return false;
  if (barred_position_ != start_) barred_.clear();
  barred_position_ = *position = start_;
  barred_.push_back(start_token_);
  state_ = start_state_;
  start_ = -1;
  return true;
}

}  // namespace specinfer
