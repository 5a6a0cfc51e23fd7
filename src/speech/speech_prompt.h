// The tokens before a window's text: what was said before, language, task and
// what the text must begin with.
#ifndef SPECINFER_SRC_SPEECH_SPEECH_PROMPT_H_
#define SPECINFER_SRC_SPEECH_SPEECH_PROMPT_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "src/speech/speech_tokens.h"
#include "src/text/tokenizer.h"

namespace specinfer {

enum class SpeechTask : uint8_t { kTranscribe, kTranslate };

struct SpeechPromptOptions {
  Token language = -1;  // -1: none, as English-only models want it
  SpeechTask task = SpeechTask::kTranscribe;  // only with a language
  bool has_timestamps = true;
  // Text before the window, timestamps included; its end is used.
  absl::Span<const Token> previous;
  // Words to expect, after a space; left out where there is a prefix.
  absl::Span<const Token> hotwords;
  // What the window's text begins with, after a space.
  absl::Span<const Token> prefix;
  // Instead of a prefix: what was sampled of the window's text before, as it
  // was, timestamps included. Sampling goes on behind it.
  absl::Span<const Token> sampled;
};

struct SpeechPrompt {
  std::vector<Token> tokens;
  // Where <|startoftranscript|> is: the no-speech probability is asked there.
  int32_t start_index = 0;
  // The last tokens are the window's own: the prefix, the timestamp 0.00 before
  // it included.
  int32_t num_prefix = 0;
  bool prefix_is_sampled = false;  // the rules go on from it
};

// Appends the tokens of a text for a prompt, as Whisper has it: after a space.
absl::Status AppendPromptText(const Tokenizer& tokenizer, std::string_view text,
                              std::vector<Token>* tokens);

// `max_positions`: of the decoder, 448 for every Whisper.
SpeechPrompt MakeSpeechPrompt(const SpeechTokens& tokens,
                              const SpeechPromptOptions& options,
                              int32_t max_positions);

// How many tokens may be sampled after `prompt`, the end of text included: half
// of the positions, or what is left; the prefix counts as sampled.
int32_t MaxSampledTokens(const SpeechPrompt& prompt, int32_t max_positions);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_SPEECH_PROMPT_H_
