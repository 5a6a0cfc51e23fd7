#include "src/speech/spoken_language.h"

#include "src/base/text.h"

namespace specinfer {

absl::StatusOr<SpokenLanguage> GivenLanguage(const SpeechTokens& tokens,
                                             std::string_view name,
                                             SpeechTask task) {
  SpokenLanguage given;
  if (!tokens.is_multilingual()) {
    if (task == SpeechTask::kTranslate) {
      return absl::InvalidArgumentError(
          "this model knows English alone and translates nothing; take a "
          "multilingual one");
    }
    if (name.empty() || name == "en" || name == "english") return given;
    return absl::InvalidArgumentError(
        Cat("language \"", name, "\": this model knows English alone"));
  }
  if (name.empty()) {
    given.is_known = false;
    return given;
  }
  given.language = FindLanguage(name);
  if (given.language != nullptr)
    given.token = tokens.FindLanguageToken(given.language->code);
  if (given.token < 0) {
    return absl::InvalidArgumentError(
        Cat("language \"", name,
            "\" is none of this model's; give a code like \"de\" or a name "
            "like \"german\""));
  }
  return given;
}

}  // namespace specinfer
