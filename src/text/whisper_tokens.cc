#include "src/text/whisper_tokens.h"

#include <cstdint>
#include <iterator>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "src/base/status_macros.h"
#include "src/base/text.h"

namespace specinfer {
namespace {

// LANGUAGES of whisper/tokenizer.py, in its order. The last came with large-v3.
constexpr std::string_view kLanguages[] = {
    "en", "zh", "de", "es", "ru", "ko", "fr", "ja", "pt", "tr",  "pl", "ca",
    "nl", "ar", "sv", "it", "id", "hi", "fi", "vi", "he", "uk",  "el", "ms",
    "cs", "ro", "da", "hu", "ta", "no", "th", "ur", "hr", "bg",  "lt", "la",
    "mi", "ml", "cy", "sk", "te", "fa", "lv", "bn", "sr", "az",  "sl", "kn",
    "et", "mk", "br", "eu", "is", "hy", "ne", "mn", "bs", "kk",  "sq", "sw",
    "gl", "mr", "pa", "si", "km", "sn", "yo", "so", "af", "oc",  "ka", "be",
    "tg", "sd", "gu", "am", "yi", "lo", "uz", "fo", "ht", "ps",  "tk", "nn",
    "mt", "sa", "lb", "my", "bo", "tl", "mg", "as", "tt", "haw", "ln", "ha",
    "ba", "jw", "su", "yue"};
constexpr std::string_view kTasks[] = {"translate", "transcribe",
                                       "startoflm", "startofprev",
                                       "nospeech",  "notimestamps"};
// <|0.00|> to <|30.00|>, 0.02 s apart.
constexpr uint64_t kTimeStamps = 1501;

struct WhisperVocabulary {
  uint64_t size;
  uint64_t end_of_text;
  uint64_t num_languages;
};
constexpr WhisperVocabulary kVocabularies[] = {
    {51864, 50256, 99},   // English only
    {51865, 50257, 99},   // multilingual
    {51866, 50257, 100},  // large-v3
};

// Empty: an ordinary token, or unused.
std::string SpecialTokenName(const WhisperVocabulary& vocabulary,
                             uint64_t token) {
  if (token < vocabulary.end_of_text) return "";
  uint64_t place = token - vocabulary.end_of_text;
  if (place == 0) return "<|endoftext|>";
  if (place == 1) return "<|startoftranscript|>";
  place -= 2;
  if (place < vocabulary.num_languages)
    return Cat("<|", kLanguages[place], "|>");
  place -= vocabulary.num_languages;
  if (place < std::size(kTasks)) return Cat("<|", kTasks[place], "|>");
  place -= std::size(kTasks);
  if (place >= kTimeStamps) return "";
  return absl::StrFormat("<|%d.%02d|>", place / 50, place % 50 * 2);
}

}  // namespace

absl::Status AddWhisperTokens(const ModelFile& file,
                              VocabularyBuilder& builder) {
  SPECINFER_ASSIGN_OR_RETURN(const uint64_t size,
                             file.GetUint("whisper.vocab_size"));
  if (size < builder.num_tokens()) {
    return absl::InvalidArgumentError(
        ModelMessage(file.path(), "the vocabulary has ", builder.num_tokens(),
                     " tokens, but the model has ", size));
  }
  const WhisperVocabulary* known = nullptr;
  for (const WhisperVocabulary& vocabulary : kVocabularies) {
    if (vocabulary.size == size) known = &vocabulary;
  }
  while (builder.num_tokens() < size) {
    const std::string name =
        known == nullptr ? "" : SpecialTokenName(*known, builder.num_tokens());
    SPECINFER_RETURN_IF_ERROR(builder.AddToken(name, TokenKind::kControl));
  }
  for (Token token = 0; static_cast<uint64_t>(token) < size; ++token) {
    const absl::string_view text = ToAbsl(builder.text(token));
    if (text.size() > 4 && absl::StartsWith(text, "<|") &&
        absl::EndsWith(text, "|>"))
      builder.vocabulary().kinds[static_cast<size_t>(token)] =
          TokenKind::kControl;
  }
  return absl::OkStatus();
}

}  // namespace specinfer
