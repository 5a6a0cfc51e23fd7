// The languages that Whisper knows, by code and by English name.
#ifndef SPECINFER_SRC_SPEECH_LANGUAGES_H_
#define SPECINFER_SRC_SPEECH_LANGUAGES_H_

#include <string_view>

#include "absl/types/span.h"

namespace specinfer {

struct Language {
  std::string_view code;  // as in <|en|>
  std::string_view name;  // English, lower case
};

// In the order of the models' tokens; the last is only in models of 100
// languages.
absl::Span<const Language> Languages();

// By code, by name or by a name that is also in use ("mandarin", "flemish"), in
// any case; null: none.
const Language* FindLanguage(std::string_view code_or_name);

// Written without spaces between words, so a word ends where a character does.
bool IsWrittenWithoutSpaces(std::string_view code);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_LANGUAGES_H_
