#include "src/speech/speech_tokens.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "src/base/status_macros.h"
#include "src/base/text.h"

namespace specinfer {
namespace {

// English-only models have 51,864 tokens, and a vocabulary that names languages
// which they were never taught (openai/whisper, model.py, is_multilingual).
constexpr int32_t kLeastMultilingualVocabulary = 51865;

// openai/whisper, tokenizer.py, non_speech_tokens. A symbol is suppressed where
// it is a single token, alone or after a space.
constexpr std::string_view kUnspokenSymbols[] = {
    "\"",  "#",  "(",   ")",  "*",  "+",  "/",   ":",  ";",  "<",
    "=",   ">",  "@",   "[",  "\\", "]",  "^",   "_",  "`",  "{",
    "|",   "}",  "~",   "「", "」", "『", "』",  "<<", ">>", "<<<",
    ">>>", "--", "---", "-(", "-[", "('", "(\"", "((", "))", "(((",
    ")))", "[[", "]]",  "{{", "}}", "♪♪", "♪♪♪"};

// Of these the first token is suppressed in any case: they lie between U+2640
// and U+267F, which share their first two bytes.
constexpr std::string_view kMusicSymbols[] = {"♩", "♪", "♫", "♬",
                                              "♭", "♮", "♯"};

void SortUnique(std::vector<Token>* tokens) {
  std::sort(tokens->begin(), tokens->end());
  tokens->erase(std::unique(tokens->begin(), tokens->end()), tokens->end());
}

absl::StatusOr<std::vector<Token>> Tokenize(const Tokenizer& tokenizer,
                                            std::string_view text) {
  std::vector<Token> tokens;
  SPECINFER_RETURN_IF_ERROR(
      tokenizer.Tokenize(text, /*parse_special=*/false, &tokens));
  if (tokens.empty()) {
    return absl::InvalidArgumentError(
        Cat("the vocabulary has no token for \"", text,
            "\"; this is not Whisper's tokenizer"));
  }
  return tokens;
}

}  // namespace

absl::StatusOr<SpeechTokens> SpeechTokens::Create(const Tokenizer& tokenizer,
                                                  int32_t vocabulary_size) {
  SpeechTokens tokens;
  tokens.vocabulary_size_ = vocabulary_size;
  SPECINFER_RETURN_IF_ERROR(tokens.FindSpecialTokens(tokenizer));
  tokens.FindLanguages(tokenizer);
  SPECINFER_RETURN_IF_ERROR(tokens.FindSuppressed(tokenizer));
  return tokens;
}

absl::Status SpeechTokens::FindSpecialTokens(const Tokenizer& tokenizer) {
  struct Name {
    std::string_view text, other_text;
    Token* token;
  };
  const Name names[] = {{"<|endoftext|>", "", &end_of_text_},
                        {"<|startoftranscript|>", "", &start_of_transcript_},
                        {"<|translate|>", "", &translate_},
                        {"<|transcribe|>", "", &transcribe_},
                        {"<|startoflm|>", "", &start_of_lm_},
                        {"<|startofprev|>", "", &start_of_previous_},
                        {"<|nospeech|>", "<|nocaptions|>", &no_speech_},
                        {"<|notimestamps|>", "", &no_timestamps_}};
  Token before = -1;
  for (const Name& name : names) {
    Token token = tokenizer.FindSpecial(name.text);
    if (token < 0 && !name.other_text.empty())
      token = tokenizer.FindSpecial(name.other_text);
    if (token <= before || token >= vocabulary_size_ - 1) {
      return absl::InvalidArgumentError(Cat(
          "token ", name.text, " is ", token, ", expected between ", before + 1,
          " and ", vocabulary_size_ - 2, "; this is not a Whisper vocabulary"));
    }
    *name.token = before = token;
  }
  const Token first_timestamp = tokenizer.FindSpecial("<|0.00|>");
  if (first_timestamp >= 0 && first_timestamp != timestamp_begin()) {
    return absl::InvalidArgumentError(Cat("token <|0.00|> is ", first_timestamp,
                                          ", expected ", timestamp_begin(),
                                          ", right after <|notimestamps|>"));
  }
  return absl::OkStatus();
}

void SpeechTokens::FindLanguages(const Tokenizer& tokenizer) {
  if (vocabulary_size_ < kLeastMultilingualVocabulary) return;
  for (const Language& language : Languages()) {
    const Token token = tokenizer.FindSpecial(Cat("<|", language.code, "|>"));
    if (token > start_of_transcript_ && token < translate_)
      languages_.push_back({token, &language});
  }
  std::sort(languages_.begin(), languages_.end(),
            [](const LanguageToken& a, const LanguageToken& b) {
              return a.token < b.token;
            });
}

absl::Status SpeechTokens::FindSuppressed(const Tokenizer& tokenizer) {
  // Hyphens and quotes stay inside words.
  for (const std::string_view text : {" -", " '"}) {
    SPECINFER_ASSIGN_OR_RETURN(const std::vector<Token> tokens,
                               Tokenize(tokenizer, text));
    suppressed_.push_back(tokens[0]);
  }
  const auto suppress = [&](std::string_view symbol, bool always) {
    for (const std::string_view space : {"", " "}) {
      SPECINFER_ASSIGN_OR_RETURN(const std::vector<Token> tokens,
                                 Tokenize(tokenizer, Cat(space, symbol)));
      if (tokens.size() == 1 || always) suppressed_.push_back(tokens[0]);
    }
    return absl::OkStatus();
  };
  for (const std::string_view symbol : kUnspokenSymbols)
    SPECINFER_RETURN_IF_ERROR(suppress(symbol, /*always=*/false));
  for (const std::string_view symbol : kMusicSymbols)
    SPECINFER_RETURN_IF_ERROR(suppress(symbol, /*always=*/true));
  suppressed_.insert(suppressed_.end(),
                     {start_of_transcript_, translate_, transcribe_,
                      start_of_lm_, start_of_previous_, no_speech_});
  SortUnique(&suppressed_);

  SPECINFER_ASSIGN_OR_RETURN(suppressed_first_, Tokenize(tokenizer, " "));
  suppressed_first_.push_back(end_of_text_);
  SortUnique(&suppressed_first_);
  return absl::OkStatus();
}

Token SpeechTokens::Timestamp(double seconds) const {
  const double index = std::round(seconds / kSecondsPerTimestamp);
  const double last = num_timestamps() - 1;
  // NaN becomes 0.
  return timestamp_begin() +
         static_cast<Token>(index > 0.0 ? std::min(index, last) : 0.0);
}

Token SpeechTokens::FindLanguageToken(std::string_view code) const {
  for (const LanguageToken& known : languages_) {
    if (known.language->code == code) return known.token;
  }
  return -1;
}

const Language* SpeechTokens::FindTokenLanguage(Token token) const {
  for (const LanguageToken& known : languages_) {
    if (known.token == token) return known.language;
  }
  return nullptr;
}

}  // namespace specinfer
