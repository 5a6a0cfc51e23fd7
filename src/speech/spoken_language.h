// The language that someone speaks: given, or to be told by the sound.
#ifndef SPECINFER_SRC_SPEECH_SPOKEN_LANGUAGE_H_
#define SPECINFER_SRC_SPEECH_SPOKEN_LANGUAGE_H_

#include <string_view>

#include "absl/status/statusor.h"

#include "src/speech/languages.h"
#include "src/speech/speech_prompt.h"
#include "src/speech/speech_tokens.h"

namespace specinfer {

struct SpokenLanguage {
  const Language* language = nullptr;  // null: the model is of English alone
  Token token = -1;                    // what a prompt names it with
  float probability = 1.0f;
  bool is_known = true;  // else the sound must tell

  std::string_view code() const {
    return language == nullptr ? std::string_view("en") : language->code;
  }
};

// What `name`, a code or an English name, is to the model; empty: unknown.
// Errors: INVALID_ARGUMENT (no language of the model, or a task that a model of
// English alone cannot do).
absl::StatusOr<SpokenLanguage> GivenLanguage(const SpeechTokens& tokens,
                                             std::string_view name,
                                             SpeechTask task);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_SPOKEN_LANGUAGE_H_
