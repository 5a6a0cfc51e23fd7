#include "src/sample/sampler.h"

#include <algorithm>
#include <bit>
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

// Without the places that no token was left for.
absl::Span<const Candidate> Existing(absl::Span<const Candidate> top) {
  size_t size = top.size();
  while (size > 0 && top[size - 1].token < 0) --size;
  return top.first(size);
}

// e^x for x <= 0, by operations that a compiler makes vectors of: Exp of
// scalar_math.h would take milliseconds for a vocabulary. Within 4 units in the
// last place; 0 below -87.
inline float ExpOfNegative(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23
  const float clamped = std::max(x, -87.0f);
  const float n = (clamped * 1.44269504088896341f + kRound) - kRound;
  const float r = (clamped - n * 0.693145751953125f) - n * 1.42860682030941e-6f;
  float p = 1.9875691500e-4f;  // Cephes expf
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const float value =
      p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
  return x < -87.0f ? 0.0f : value;
}

// Finite, so that the likeliest token's 0 stays 0.
float Inverse(float temperature) {
  return std::min(1.0f / temperature, std::numeric_limits<float>::max());
}

// Makes numbers that are not negative sum to 1.
void Normalize(double sum, absl::Span<float> law) {
  const float scale = static_cast<float>(1.0 / sum);
  for (float& mass : law) mass *= scale;
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

void Sampler::Collect(int64_t position, absl::Span<const Token> text,
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
}

HeadQuery Sampler::Ask(int32_t row, int64_t position,
                       absl::Span<const Token> text,
                       absl::Span<const Token> path,
                       absl::Span<const Token> banned, SampleSlot* slot) {
  Collect(position, text, path, banned, slot);
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
  const absl::Span<const Candidate> candidates = Existing(slot.top);
  if (candidates.empty()) return kNoToken;
  const bool is_complete = candidates.size() < slot.top.size();
  const int64_t num_survivors =
      CountSurvivors(candidates, is_complete, slot.log_sum_exp);
  if (num_survivors < 0) return kNeedsFullRow;
  return Draw(candidates.first(static_cast<size_t>(num_survivors)), slot.noise);
}

void Sampler::Sort(absl::Span<const float> logits) {
  sorted_.clear();
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > -std::numeric_limits<float>::infinity())
      sorted_.push_back({.token = static_cast<Token>(i), .logit = logits[i]});
  }
  std::sort(sorted_.begin(), sorted_.end(), IsBefore);
}

Token Sampler::ChooseFull(SampleSlot* slot) {
  Sort(slot->full);
  if (sorted_.empty()) return kNoToken;
  const int64_t num_survivors =
      CountSurvivors(sorted_, /*is_complete=*/true, slot->log_sum_exp);
  return Draw(
      absl::MakeConstSpan(sorted_).first(static_cast<size_t>(num_survivors)),
      slot->noise);
}

// ---- The law ----------------------------------------------------------------

HeadQuery Sampler::AskLaw(int32_t row, int64_t position,
                          absl::Span<const Token> text,
                          absl::Span<const Token> path,
                          absl::Span<const Token> banned, absl::Span<float> law,
                          SampleSlot* slot) {
  if (has_cuts_) return Ask(row, position, text, path, banned, slot);
  Collect(position, text, path, banned, slot);
  return AskFullLaw(row, law, slot);
}

HeadQuery Sampler::AskFullLaw(int32_t row, absl::Span<float> law,
                              SampleSlot* slot) const {
  return {.row = row,
          .adjustments = slot->adjustments,
          .allowed = allowed_,
          .log_sum_exp = &slot->log_sum_exp,
          .full = law};
}

void Sampler::SpreadLaw(absl::Span<const Candidate> survivors,
                        absl::Span<float> law) const {
  const float inverse_temperature = Inverse(options_.temperature);
  std::fill(law.begin(), law.end(), 0.0f);
  double sum = 0.0;
  for (const Candidate& candidate : survivors) {
    const float mass = ExpOfNegative((candidate.logit - survivors[0].logit) *
                                     inverse_temperature);
    law[static_cast<size_t>(candidate.token)] = mass;
    sum += static_cast<double>(mass);
  }
  for (const Candidate& candidate : survivors)
    law[static_cast<size_t>(candidate.token)] /= static_cast<float>(sum);
}

Sampler::LawState Sampler::MakeLaw(const SampleSlot& slot,
                                   absl::Span<float> law) const {
  if (has_cuts_) {
    const absl::Span<const Candidate> candidates = Existing(slot.top);
    if (candidates.empty()) return LawState::kEmpty;
    const bool is_complete = candidates.size() < slot.top.size();
    const int64_t num_survivors =
        CountSurvivors(candidates, is_complete, slot.log_sum_exp);
    if (num_survivors < 0) return LawState::kNeedsFullRow;
    SpreadLaw(candidates.first(static_cast<size_t>(num_survivors)), law);
    return LawState::kComplete;
  }
  const float greatest = *std::max_element(law.begin(), law.end());
  if (!(greatest > -std::numeric_limits<float>::infinity()))
    return LawState::kEmpty;
  const float inverse_temperature = Inverse(options_.temperature);
  for (float& logit : law)
    logit = ExpOfNegative((logit - greatest) * inverse_temperature);
  double sum = 0.0;
  for (const float mass : law) sum += static_cast<double>(mass);
  Normalize(sum, law);
  return LawState::kComplete;
}

void Sampler::MakeLawOfCandidates(const SampleSlot& slot,
                                  absl::Span<float> law) const {
  SpreadLaw(Existing(slot.top), law);
}

Sampler::LawState Sampler::MakeFullLaw(const SampleSlot& slot,
                                       absl::Span<float> law) {
  Sort(law);
  if (sorted_.empty()) return LawState::kEmpty;
  const int64_t num_survivors =
      CountSurvivors(sorted_, /*is_complete=*/true, slot.log_sum_exp);
  SpreadLaw(
      absl::MakeConstSpan(sorted_).first(static_cast<size_t>(num_survivors)),
      law);
  return LawState::kComplete;
}

}  // namespace specinfer
