#include "src/speech/window_words.h"

#include "src/base/status_macros.h"
#include "src/speech/word_times.h"

namespace specinfer {

absl::Status FindWords(WindowDecoder& decoder, const FrameWindow& window,
                       const SpeechPromptOptions& prompt,
                       std::string_view language_code,
                       const PassControl& control, double* last_speech_end,
                       std::vector<Segment>* segments) {
  const SpeechTokens& tokens = decoder.tokens();
  const std::vector<Token> text = TextTokens(tokens, *segments);
  if (!text.empty()) {
    SPECINFER_ASSIGN_OR_RETURN(const TokenTimes times,
                               decoder.Align({.text = text,
                                              .language = prompt.language,
                                              .task = prompt.task,
                                              .num_frames = window.num_frames},
                                             control));
    AddWordTimes(tokens, decoder.model().tokenizer(), language_code, {}, times,
                 window.start(), *last_speech_end, segments);
  }
  *last_speech_end = LastSpeechEnd(*segments, *last_speech_end);
  return absl::OkStatus();
}

}  // namespace specinfer
