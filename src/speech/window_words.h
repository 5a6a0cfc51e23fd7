// The words of a window that was decoded, with times.
#ifndef SPECINFER_SRC_SPEECH_WINDOW_WORDS_H_
#define SPECINFER_SRC_SPEECH_WINDOW_WORDS_H_

#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "src/speech/speech_prompt.h"
#include "src/speech/transcript.h"
#include "src/speech/window_decoder.h"
#include "src/speech/window_segments.h"

namespace specinfer {

// Gives all segments of the window that `decoder` has decoded their words, and
// times that fit them, in one more pass. `prompt` says the language and the
// task; `last_speech_end` is where the last word before the window ended, 0 for
// none, and becomes where the last one ends now.
// Errors: those of WindowDecoder::Align.
absl::Status FindWords(WindowDecoder& decoder, const FrameWindow& window,
                       const SpeechPromptOptions& prompt,
                       std::string_view language_code,
                       const PassControl& control, double* last_speech_end,
                       std::vector<Segment>* segments);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_WINDOW_WORDS_H_
