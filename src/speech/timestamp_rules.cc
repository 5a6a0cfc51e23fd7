#include "src/speech/timestamp_rules.h"

#include <algorithm>
#include <cmath>

#include "src/backend/noise.h"

namespace specinfer {
namespace {

void AddRange(Token begin, Token end, std::vector<uint64_t>* set) {
  for (Token token = begin; token < end; ++token) {
    (*set)[static_cast<size_t>(token / 64)] |= uint64_t{1} << (token % 64);
  }
}

void Remove(absl::Span<const Token> tokens, std::vector<uint64_t>* set) {
  for (const Token token : tokens) {
    (*set)[static_cast<size_t>(token / 64)] &= ~(uint64_t{1} << (token % 64));
  }
}

bool Contains(absl::Span<const uint64_t> set, Token token) {
  return ((set[static_cast<size_t>(token / 64)] >> (token % 64)) & 1) != 0;
}

double LogAddExp(double a, double b) {
  const double greater = std::max(a, b);
  return greater + std::log1p(std::exp(std::min(a, b) - greater));
}

}  // namespace

TimestampRules::TimestampRules(const SpeechTokens& tokens,
                               const TimestampRuleOptions& options)
    : num_words_((tokens.vocabulary_size() + 63) / 64),
      end_of_text_(tokens.end_of_text()),
      timestamp_begin_(tokens.timestamp_begin()),
      vocabulary_size_(tokens.vocabulary_size()),
      has_timestamps_(options.has_timestamps) {
  const TokenSet nothing(static_cast<size_t>(num_words_), 0);

  text_ = nothing;
  AddRange(0, has_timestamps_ ? timestamp_begin_ : vocabulary_size_, &text_);
  Remove(tokens.suppressed(), &text_);
  if (has_timestamps_) Remove({tokens.no_timestamps()}, &text_);

  // After a prefix faster-whisper has no rule for the first token, so it may be
  // a timestamp, whichever; openai/whisper wants a timestamp even there.
  first_ = text_;
  AddRange(timestamp_begin_, vocabulary_size_, &first_);
  if (options.suppresses_blank) Remove(tokens.suppressed_first(), &first_);
  if (!has_timestamps_) return;

  end_ = text_;
  std::fill_n(end_.begin(), end_of_text_ / 64, uint64_t{0});
  for (Token token = end_of_text_ / 64 * 64; token < end_of_text_; ++token)
    Remove({token}, &end_);

  first_timestamps_ = nothing;
  AddRange(timestamp_begin_, tokens.Timestamp(options.max_initial_seconds) + 1,
           &first_timestamps_);

  const size_t num_windows =
      static_cast<size_t>(num_words_ - timestamp_begin_ / 64);
  from_bit_.resize(64);
  for (size_t bit = 0; bit < 64; ++bit) {
    TokenSet& set = from_bit_[bit];
    set.assign(static_cast<size_t>(num_words_) + num_windows, 0);
    const size_t word = static_cast<size_t>(num_words_) - 1;
    set[word] = ~uint64_t{0} << bit;
    std::fill(set.begin() + static_cast<ptrdiff_t>(word) + 1, set.end(),
              ~uint64_t{0});
  }
}

absl::Span<const uint64_t> TimestampRules::TimestampsFrom(Token first) const {
  const size_t num_words = static_cast<size_t>(num_words_);
  const size_t word = static_cast<size_t>(first / 64);
  return absl::MakeConstSpan(from_bit_[static_cast<size_t>(first % 64)])
      .subspan(num_words - 1 - word, num_words);
}

TimestampState TimestampRules::Begin(const SpeechPrompt& prompt) const {
  TimestampState state;
  if (prompt.prefix_is_sampled) {
    for (const Token token : absl::MakeConstSpan(prompt.tokens)
                                 .last(static_cast<size_t>(prompt.num_prefix)))
      state = Advance(state, token);
  } else if (prompt.num_prefix > 0) {
    state.last = TimestampState::Last::kPrefix;
  }
  return state;
}

TimestampState TimestampRules::Advance(TimestampState state,
                                       Token token) const {
  if (token < timestamp_begin_) {
    state.last = TimestampState::Last::kText;
  } else {
    state.last = state.last == TimestampState::Last::kText
                     ? TimestampState::Last::kTimestamp
                     : TimestampState::Last::kTimestamps;
    state.last_timestamp = token;
  }
  return state;
}

AllowedSpeech TimestampRules::Allowed(const TimestampState& state) const {
  using Last = TimestampState::Last;
  AllowedSpeech allowed;
  if (!has_timestamps_ || state.last == Last::kPrefix) {
    const bool is_first =
        state.last == Last::kNothing || state.last == Last::kPrefix;
    allowed.has_text = true;
    allowed.text = is_first ? first_ : text_;
    return allowed;
  }
  allowed.has_text = state.last != Last::kNothing;
  if (allowed.has_text)
    allowed.text = state.last == Last::kTimestamp ? end_ : text_;
  if (state.last == Last::kNothing) {
    allowed.has_timestamps = true;
    allowed.timestamps = first_timestamps_;
  } else if (state.last != Last::kTimestamps) {
    // Times never go back. A text takes time, but the next may begin when it
    // ends.
    Token first = timestamp_begin_;
    if (state.last_timestamp >= 0) {
      first = state.last_timestamp + (state.last == Last::kText ? 1 : 0);
    }
    allowed.has_timestamps = first < vocabulary_size_;
    if (allowed.has_timestamps) allowed.timestamps = TimestampsFrom(first);
  }
  return allowed;
}

bool TimestampRules::MayFollow(const TimestampState& state, Token token) const {
  if (token < 0 || token >= vocabulary_size_) return false;
  const AllowedSpeech allowed = Allowed(state);
  return (allowed.has_text && Contains(allowed.text, token)) ||
         (allowed.has_timestamps && Contains(allowed.timestamps, token));
}

SpeechChoice ChooseSpeechToken(const SpeechAnswer& text,
                               const SpeechAnswer& timestamps,
                               float inverse_temperature,
                               const NoiseKey& noise) {
  const bool has_timestamps = timestamps.best.token >= 0;
  // Written so that no number forbids anything.
  const bool has_text =
      text.best.token >= 0 &&
      !(has_timestamps &&
        timestamps.log_sum_exp > static_cast<double>(text.best.logit));
  if (!has_text && !has_timestamps) return {};
  if (!has_text || !has_timestamps) {
    const SpeechAnswer& only = has_text ? text : timestamps;
    return {only.drawn.token,
            static_cast<double>(only.drawn.logit) - only.log_sum_exp};
  }

  const auto score = [&](const Candidate& candidate) {
    if (inverse_temperature == 0.0f) return candidate.logit;
    return candidate.logit * inverse_temperature +
           GumbelNoise(noise, candidate.token);
  };
  const Candidate& chosen = score(timestamps.drawn) > score(text.drawn)
                                ? timestamps.drawn
                                : text.drawn;
  return {chosen.token,
          static_cast<double>(chosen.logit) -
              LogAddExp(text.log_sum_exp, timestamps.log_sum_exp)};
}

}  // namespace specinfer
