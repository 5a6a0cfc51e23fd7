#include "src/speech/repetition_guard.h"

#include <algorithm>

namespace specinfer {

RepetitionGuard::RepetitionGuard(const SpeechTokens& tokens,
                                 const RepetitionGuardOptions& options,
                                 int32_t max_tokens)
    : options_(options),
      end_of_text_(tokens.end_of_text()),
      max_tokens_(static_cast<size_t>(std::max(max_tokens, 0))) {
  text_.reserve(max_tokens_);
  if (options.min_repeats > 0)
    run_lengths_.resize(max_tokens_ / static_cast<size_t>(options.min_repeats));
}

void RepetitionGuard::Begin() {
  text_.clear();
  std::fill(run_lengths_.begin(), run_lengths_.end(), 0);
}

bool RepetitionGuard::Append(Token token) {
  if (token >= end_of_text_ || text_.size() >= max_tokens_) return false;
  text_.push_back(token);
  bool is_loop = false;
  for (size_t period = 1; period <= run_lengths_.size(); ++period) {
    int32_t& run = run_lengths_[period - 1];
    const bool is_equal =
        text_.size() > period && text_[text_.size() - 1 - period] == token;
    run = is_equal ? run + 1 : 0;
    const int32_t length = run + static_cast<int32_t>(period);
    is_loop |= length >= options_.min_tokens &&
               length >= options_.min_repeats * static_cast<int32_t>(period);
  }
  return is_loop;
}

}  // namespace specinfer
