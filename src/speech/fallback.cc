#include "src/speech/fallback.h"

#include <utility>

namespace specinfer {
namespace {

bool IsRepetitive(const FallbackOptions& options, const DecodedWindow& window) {
  return window.is_loop ||
         (options.max_compression_ratio.has_value() &&
          window.compression_ratio > *options.max_compression_ratio);
}

bool IsUnlikely(const FallbackOptions& options, const DecodedWindow& window) {
  return options.min_log_probability.has_value() &&
         window.average_log_probability < *options.min_log_probability;
}

bool SoundsEmpty(const FallbackOptions& options, const DecodedWindow& window) {
  return options.max_no_speech_probability.has_value() &&
         window.no_speech_probability > *options.max_no_speech_probability;
}

}  // namespace

Verdict Judge(const FallbackOptions& options, const DecodedWindow& window) {
  const bool is_unlikely = IsUnlikely(options, window);
  if (is_unlikely && SoundsEmpty(options, window)) return Verdict::kSilence;
  return is_unlikely || IsRepetitive(options, window) ? Verdict::kTryAgain
                                                      : Verdict::kAccept;
}

Fallback::Fallback(FallbackOptions options) : options_(std::move(options)) {}

void Fallback::Begin(int32_t best_of) {
  best_of_ = best_of;
  candidate_ = 0;
  num_tries_ = 0;
  is_settled_ = false;
}

std::optional<float> Fallback::NextTemperature() const {
  if (is_settled_ || num_tries_ >= options_.temperatures.size())
    return std::nullopt;
  return options_.temperatures[num_tries_];
}

void Fallback::Add(const DecodedWindow& window) {
  const int32_t num_candidates = window.temperature > 0.0f ? best_of_ : 1;
  if (num_candidates <= 1) return AddTry(window);
  if (candidate_ == 0 || IsBetter(window, best_candidate_))
    best_candidate_ = window;
  if (++candidate_ < num_candidates) return;
  candidate_ = 0;
  AddTry(best_candidate_);
}

bool Fallback::IsBetter(const DecodedWindow& window,
                        const DecodedWindow& than) const {
  const bool is_repetitive = IsRepetitive(options_, window);
  return is_repetitive == IsRepetitive(options_, than)
             ? window.average_log_probability > than.average_log_probability
             : !is_repetitive;
}

void Fallback::AddTry(const DecodedWindow& window) {
  is_settled_ = Judge(options_, window) != Verdict::kTryAgain;
  if (num_tries_ == 0 || is_settled_ || IsBetter(window, best_)) best_ = window;
  best_.temperature = window.temperature;
  ++num_tries_;
}

bool Fallback::IsSilence() const {
  if (!SoundsEmpty(options_, best_)) return false;
  // A likely text outweighs what sounds empty.
  return !(options_.min_log_probability.has_value() &&
           best_.average_log_probability > *options_.min_log_probability);
}

}  // namespace specinfer
