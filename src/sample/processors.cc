#include "src/sample/processors.h"

#include <algorithm>

namespace specinfer {
namespace {

// base^exponent by multiplication, so that every host gets the same bits. Grows
// no further than the largest penalty that makes sense.
float Power(float base, int32_t exponent) {
  float power = 1.0f;
  for (int32_t i = 0; i < exponent && power < 1e9f; ++i) power *= base;
  return power;
}

bool Contains(absl::Span<const uint64_t> bits, Token token) {
  const size_t word = static_cast<size_t>(token) / 64;
  return word < bits.size() && ((bits[word] >> (token % 64)) & 1) != 0;
}

}  // namespace

Processors::Processors(const SamplingOptions& options)
    : options_(options),
      has_penalties_(options.repetition_penalty != 1.0f ||
                     options.frequency_penalty != 0.0f ||
                     options.presence_penalty != 0.0f) {}

void Processors::Collect(absl::Span<const Token> text,
                         absl::Span<const Token> path,
                         std::vector<Adjustment>* adjustments) {
  adjustments->clear();
  for (const LogitBias& bias : options_.logit_biases)
    adjustments->push_back({.token = bias.token, .bias = bias.bias});
  if (has_penalties_) {
    GatherWindow(text, path, static_cast<size_t>(options_.penalty_window));
    AddPenalties(adjustments);
  }
  if (options_.dry_multiplier > 0.0f) {
    GatherWindow(text, path,
                 options_.dry_window > 0
                     ? static_cast<size_t>(options_.dry_window)
                     : SIZE_MAX);
    AddDry(adjustments);
  }
  // Adding is commutative but not associative: equal tokens are summed in the
  // order of their values.
  std::sort(adjustments->begin(), adjustments->end(),
            [](const Adjustment& a, const Adjustment& b) {
              if (a.token != b.token) return a.token < b.token;
              if (a.repetition != b.repetition)
                return a.repetition < b.repetition;
              return a.bias < b.bias;
            });
  size_t num_kept = 0;
  for (const Adjustment& adjustment : *adjustments) {
    if (num_kept > 0 &&
        (*adjustments)[num_kept - 1].token == adjustment.token) {
      (*adjustments)[num_kept - 1].repetition *= adjustment.repetition;
      (*adjustments)[num_kept - 1].bias += adjustment.bias;
    } else {
      (*adjustments)[num_kept++] = adjustment;
    }
  }
  adjustments->resize(num_kept);
}

void Processors::GatherWindow(absl::Span<const Token> text,
                              absl::Span<const Token> path, size_t num_tokens) {
  window_.clear();
  for (size_t i = path.size(); i > 0 && window_.size() < num_tokens; --i)
    window_.push_back(path[i - 1]);
  for (size_t i = text.size(); i > 0 && window_.size() < num_tokens; --i)
    window_.push_back(text[i - 1]);
}

void Processors::AddPenalties(std::vector<Adjustment>* adjustments) {
  std::sort(window_.begin(), window_.end());
  for (size_t i = 0; i < window_.size();) {
    size_t end = i;
    while (end < window_.size() && window_[end] == window_[i]) ++end;
    const float count = static_cast<float>(end - i);
    adjustments->push_back({.token = window_[i],
                            .repetition = options_.repetition_penalty,
                            .bias = -(count * options_.frequency_penalty +
                                      options_.presence_penalty)});
    i = end;
  }
}

// A token that followed an earlier occurrence of the text's last n tokens is
// penalised for the longest such n. With the text reversed these n are its
// Z-function: match_lengths_[i] tokens from i on equal those from 0 on, and the
// token before i (i - 1) is the one that followed.
void Processors::AddDry(std::vector<Adjustment>* adjustments) {
  const int32_t num_tokens = static_cast<int32_t>(window_.size());
  int32_t longest = 0;  // tokens since the last breaker
  while (
      longest < num_tokens &&
      !Contains(options_.dry_breakers, window_[static_cast<size_t>(longest)]))
    ++longest;
  if (longest < options_.dry_allowed_length) return;
  match_lengths_.assign(window_.size(), 0);
  int32_t left = 0, right = 0;
  for (int32_t i = 1; i < num_tokens; ++i) {
    int32_t length =
        i < right
            ? std::min(right - i, match_lengths_[static_cast<size_t>(i - left)])
            : 0;
    while (i + length < num_tokens &&
           window_[static_cast<size_t>(length)] ==
               window_[static_cast<size_t>(i + length)]) {
      ++length;
    }
    if (i + length > right) {
      left = i;
      right = i + length;
    }
    match_lengths_[static_cast<size_t>(i)] = length;
  }
  const size_t first = adjustments->size();
  for (int32_t i = 1; i < num_tokens; ++i) {
    const int32_t length =
        std::min(match_lengths_[static_cast<size_t>(i)], longest);
    if (length < options_.dry_allowed_length) continue;
    const float penalty =
        options_.dry_multiplier *
        Power(options_.dry_base, length - options_.dry_allowed_length);
    adjustments->push_back(
        {.token = window_[static_cast<size_t>(i - 1)], .bias = -penalty});
  }
  // Of several occurrences only the longest counts.
  std::sort(adjustments->begin() + static_cast<std::ptrdiff_t>(first),
            adjustments->end(), [](const Adjustment& a, const Adjustment& b) {
              return a.token != b.token ? a.token < b.token : a.bias < b.bias;
            });
  adjustments->erase(
      std::unique(adjustments->begin() + static_cast<std::ptrdiff_t>(first),
                  adjustments->end(),
                  [](const Adjustment& a, const Adjustment& b) {
                    return a.token == b.token;
                  }),
      adjustments->end());
}

}  // namespace specinfer
