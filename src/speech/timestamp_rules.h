// Which tokens Whisper may say next: the logit filters of openai/whisper,
// decoding.py (SuppressBlank, SuppressTokens, ApplyTimestampRules) as sets of
// tokens, and their last rule as a choice between two answers of the head.
#ifndef SPECINFER_SRC_SPEECH_TIMESTAMP_RULES_H_
#define SPECINFER_SRC_SPEECH_TIMESTAMP_RULES_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "src/backend/stream.h"
#include "src/speech/speech_prompt.h"
#include "src/speech/speech_tokens.h"

namespace specinfer {

// What the rules need to know of the tokens sampled in this window. A path's
// state is its parent's, advanced by one token.
struct TimestampState {
  enum class Last : uint8_t {
    kNothing,  // nothing is sampled, the window begins here
    kPrefix,   // nothing is sampled, but the prompt has a prefix
    kText,
    kTimestamp,   // one that ends the text before it
    kTimestamps,  // one that begins: the first, or the second of two
  };
  Last last = Last::kNothing;
  Token last_timestamp = -1;  // -1: none was sampled
};

// Two bit sets over the vocabulary, one query of the head each. A set that is
// absent must not be asked: to the head, an empty set means all tokens. Where
// both are there, ChooseSpeechToken says which may answer. Bits past the
// vocabulary mean nothing.
struct AllowedSpeech {
  bool has_text = false;
  bool has_timestamps = false;
  absl::Span<const uint64_t> text;  // everything before the timestamps
  absl::Span<const uint64_t> timestamps;
};

struct TimestampRuleOptions {
  // Without: as after <|notimestamps|>; no rule but what is suppressed, and
  // every set is `text`.
  bool has_timestamps = true;
  // The first timestamp of a window is at most this.
  double max_initial_seconds = 1.0;
  bool suppresses_blank = true;
};

// Immutable and thread-safe: sets that stay where they are, about 0.5 MB, so
// that every node of a tree can be asked in one pass.
class TimestampRules {
 public:
  TimestampRules(const SpeechTokens& tokens,
                 const TimestampRuleOptions& options);

  TimestampState Begin(const SpeechPrompt& prompt) const;
  TimestampState Advance(TimestampState state, Token token) const;

  // The sets live as long as the object.
  AllowedSpeech Allowed(const TimestampState& state) const;
  // Whether `token` is in one of them: a guess that is not need not be made.
  bool MayFollow(const TimestampState& state, Token token) const;

 private:
  using TokenSet = std::vector<uint64_t>;

  // All timestamps from `first` on.
  absl::Span<const uint64_t> TimestampsFrom(Token first) const;

  int32_t num_words_;  // of a set
  Token end_of_text_;
  Token timestamp_begin_;
  Token vocabulary_size_;
  bool has_timestamps_;
  TokenSet text_;              // what may follow text
  TokenSet first_;             // the same where nothing was sampled
  TokenSet end_;               // text_ from the end of text on
  TokenSet first_timestamps_;  // up to max_initial_seconds
  // For each bit b: words of zeros, one word with the bits from b on, words of
  // ones. A window of num_words_ of them is the set of all tokens from any one
  // with that bit on.
  std::vector<TokenSet> from_bit_;
};

// What the head said of one of the sets.
struct SpeechAnswer {
  Candidate best;            // the likeliest; token -1: no such set
  Candidate drawn;           // arg-max with noise; `best` at temperature 0
  double log_sum_exp = 0.0;  // ln Σ exp(logit) over the set
};

struct SpeechChoice {
  Token token = -1;  // -1: no token is left, or logits are no numbers
  // ln of the token's probability at temperature 1 among the tokens that the
  // rules leave, the last one included.
  double log_probability = 0.0;
};

// If the timestamps together are likelier than the likeliest text token, text
// is forbidden; then the greatest of what is left, by logit at temperature 0
// (`inverse_temperature` 0 stands for it), else by logit · inverse_temperature
// + noise. Ties go to the lower id.
SpeechChoice ChooseSpeechToken(const SpeechAnswer& text,
                               const SpeechAnswer& timestamps,
                               float inverse_temperature,
                               const NoiseKey& noise);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_TIMESTAMP_RULES_H_
