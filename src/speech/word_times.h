// Words with times, from tokens with times: punctuation joins its word, and
// what is too long to have been said is shortened. As faster-whisper 1.2.1's
// find_alignment and add_word_timestamps.
#ifndef SPECINFER_SRC_SPEECH_WORD_TIMES_H_
#define SPECINFER_SRC_SPEECH_WORD_TIMES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"

#include "src/speech/speech_tokens.h"
#include "src/speech/transcript.h"
#include "src/text/tokenizer.h"

namespace specinfer {

struct WordTimesOptions {
  // Joined to the word after them where a space precedes them, and to the word
  // before them.
  std::string_view prepended = "\"'“¿([{-";
  std::string_view appended = "\"'.。,，!！?？:：”)]}、";
};

// One pass of alignment, for all segments of a window.
struct TokenTimes {
  // What AlignTokens gave: a position for each text token and for the end.
  absl::Span<const int32_t> positions;
  // Of each text token after the tokens before it, among text tokens only: the
  // softmax over the logits before the end of text (CTranslate2, align).
  absl::Span<const float> probabilities;
};

// The text tokens of the segments, in order: what to align.
std::vector<Token> TextTokens(const SpeechTokens& speech_tokens,
                              absl::Span<const Segment> segments);

// Gives each segment its words, and times that fit them. `window_start`: in
// seconds; `last_speech_end`: where the last word before the window ended, 0
// for none. Returns where the last one ends now. Nothing happens where the
// numbers in `times` do not belong to the text tokens.
double AddWordTimes(const SpeechTokens& speech_tokens,
                    const Tokenizer& tokenizer, std::string_view language_code,
                    const WordTimesOptions& options, const TokenTimes& times,
                    double window_start, double last_speech_end,
                    std::vector<Segment>* segments);

// A word before it belongs to a segment. Times are seconds in the window.
struct TimedWord {
  std::string text;  // empty: joined to another
  size_t num_tokens = 0;
  double start = 0.0;
  double end = 0.0;
  float probability = 0.0f;
};

void JoinPunctuation(const WordTimesOptions& options,
                     std::vector<TimedWord>* words);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_WORD_TIMES_H_
