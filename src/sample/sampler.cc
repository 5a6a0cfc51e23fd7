#include "src/sample/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/backend/noise.h"
#include "src/base/scalar_math.h"

namespace specinfer {
namespace {

// Enough for nearly every top-p and min-p law; where it is not, the full row is
// asked.
constexpr int32_t kMinCandidates = 128;
constexpr int32_t kMaxCandidates = 4096;

bool IsBefore(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options,
                 absl::Span<const uint64_t> allowed)
    : options_(options),
      allowed_(allowed),
      has_cuts_(options.temperature > 0.0f &&
                (options.top_k > 0 ||
                 (options.top_p > 0.0f && options.top_p < 1.0f) ||
                 options.min_p > 0.0f)),
      processors_(options) {}

HeadQuery Sampler::Ask(int32_t row, int64_t position,
                       absl::Span<const Token> text,
                       absl::Span<const Token> path,
                       absl::Span<const Token> banned, SampleSlot* slot) {
  processors_.Collect(text, path, &slot->adjustments);
  for (const Token token : banned) {
    const Adjustment ban = {.token = token,
                            .bias = -std::numeric_limits<float>::infinity()};
    const auto place =
        std::lower_bound(slot->adjustments.begin(), slot->adjustments.end(),
                         ban, [](const Adjustment& a, const Adjustment& b) {
                           return a.token < b.token;
                         });
    if (place != slot->adjustments.end() && place->token == token) {
      place->bias = ban.bias;
    } else {
      slot->adjustments.insert(place, ban);
    }
  }
  slot->noise = {
      .seed = options_.seed, .stream = options_.stream, .position = position};

  HeadQuery query = {
      .row = row, .adjustments = slot->adjustments, .allowed = allowed_};
  if (has_cuts_) {
    slot->top.resize(static_cast<size_t>(
        std::clamp(options_.top_k, kMinCandidates, kMaxCandidates)));
    query.top = absl::MakeSpan(slot->top);
    query.log_sum_exp = &slot->log_sum_exp;
  } else {
    query.arg_max = &slot->arg_max;
    query.has_noise = options_.temperature > 0.0f;
    query.inverse_temperature =
        query.has_noise ? 1.0f / options_.temperature : 1.0f;
    query.noise = slot->noise;
  }
  return query;
}

HeadQuery Sampler::AskFull(int32_t row, int32_t vocabulary_size,
                           SampleSlot* slot) const {
  slot->full.resize(static_cast<size_t>(vocabulary_size));
  return {.row = row,
          .adjustments = slot->adjustments,
          .allowed = allowed_,
          .log_sum_exp = &slot->log_sum_exp,
          .full = absl::MakeSpan(slot->full)};
}

int64_t Sampler::CountSurvivors(absl::Span<const Candidate> candidates,
                                bool is_complete, double log_sum_exp) const {
  int64_t num_survivors = static_cast<int64_t>(candidates.size());
  bool is_settled = is_complete;
  double total = log_sum_exp;  // ln of the mass that top-p is a share of
  if (options_.top_k > 0 && options_.top_k <= num_survivors) {
    num_survivors = options_.top_k;
    is_settled = true;
    double mass = 0.0;
    for (int64_t i = 0; i < num_survivors; ++i) {
      mass +=
          Exp(candidates[static_cast<size_t>(i)].logit - candidates[0].logit);
    }
    total = candidates[0].logit +
            static_cast<double>(Log(static_cast<float>(mass)));
  }
  if (options_.top_p > 0.0f && options_.top_p < 1.0f) {
    double mass = 0.0;
    for (int64_t i = 0; i < num_survivors; ++i) {
      mass += Exp(
          static_cast<float>(candidates[static_cast<size_t>(i)].logit - total));
      if (mass >= options_.top_p) {
        num_survivors = i + 1;
        is_settled = true;
      }
    }
  }
  if (options_.min_p > 0.0f) {
    const float threshold = candidates[0].logit + Log(options_.min_p);
    int64_t i = 1;
    while (i < num_survivors &&
           candidates[static_cast<size_t>(i)].logit >= threshold)
      ++i;
    if (i < num_survivors) is_settled = true;
    num_survivors = i;
  }
  return is_settled ? num_survivors : -1;
}

Token Sampler::Draw(absl::Span<const Candidate> survivors,
                    const NoiseKey& noise) const {
  const float inverse_temperature = 1.0f / options_.temperature;
  Token best = kNoToken;
  float best_value = -std::numeric_limits<float>::infinity();
  for (const Candidate& candidate : survivors) {
    const float value = candidate.logit * inverse_temperature +
                        GumbelNoise(noise, candidate.token);
    if (value > best_value || (value == best_value && candidate.token < best)) {
      best = candidate.token;
      best_value = value;
    }
  }
  return best;
}

Token Sampler::Choose(const SampleSlot& slot) {
  if (!has_cuts_)
    return slot.arg_max.token >= 0 ? slot.arg_max.token : kNoToken;
  size_t num_candidates = slot.top.size();
  while (num_candidates > 0 && slot.top[num_candidates - 1].token < 0)
    --num_candidates;
  if (num_candidates == 0) return kNoToken;
  const absl::Span<const Candidate> candidates =
      absl::MakeConstSpan(slot.top).first(num_candidates);
  const bool is_complete = num_candidates < slot.top.size();
  const int64_t num_survivors =
      CountSurvivors(candidates, is_complete, slot.log_sum_exp);
  if (num_survivors < 0) return kNeedsFullRow;
  return Draw(candidates.first(static_cast<size_t>(num_survivors)), slot.noise);
}

Token Sampler::ChooseFull(SampleSlot* slot) {
  sorted_.clear();
  for (size_t i = 0; i < slot->full.size(); ++i) {
    if (slot->full[i] > -std::numeric_limits<float>::infinity()) {
      sorted_.push_back(
          {.token = static_cast<Token>(i), .logit = slot->full[i]});
    }
  }
  if (sorted_.empty()) return kNoToken;
  std::sort(sorted_.begin(), sorted_.end(), IsBefore);
  const int64_t num_survivors =
      CountSurvivors(sorted_, /*is_complete=*/true, slot->log_sum_exp);
  return Draw(
      absl::MakeConstSpan(sorted_).first(static_cast<size_t>(num_survivors)),
      slot->noise);
}

}  // namespace specinfer
