#include "src/speech/word_split.h"

#include <utility>

#include "src/speech/languages.h"
#include "src/text/detokenizer.h"
#include "src/text/utf8.h"

namespace specinfer {
namespace {

// Python's string.punctuation: a word is punctuation if it is a part of this.
constexpr std::string_view kPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

bool IsSpace(char32_t character) {
  return (character >= 0x09 && character <= 0x0D) ||
         (character >= 0x1C && character <= 0x20) || character == 0x85 ||
         character == 0xA0 || character == 0x1680 ||
         (character >= 0x2000 && character <= 0x200A) || character == 0x2028 ||
         character == 0x2029 || character == 0x202F || character == 0x205F ||
         character == 0x3000;
}

std::string Decode(const Tokenizer& tokenizer, absl::Span<const Token> tokens) {
  std::string text;
  Detokenizer detokenizer(tokenizer);
  for (const Token token : tokens) detokenizer.Append(token, &text);
  detokenizer.Flush(&text);
  return text;
}

// As split_tokens_on_unicode of openai/whisper, tokenizer.py: a part ends where
// its text is whole, or broken in the whole text as well.
std::vector<TokenWord> SplitIntoCharacters(const Tokenizer& tokenizer,
                                           absl::Span<const Token> tokens) {
  const std::string whole = Decode(tokenizer, tokens);
  std::vector<TokenWord> parts;
  size_t begin = 0, offset = 0;
  for (size_t end = 1; end <= tokens.size(); ++end) {
    std::string text = Decode(tokenizer, tokens.subspan(begin, end - begin));
    const size_t broken = text.find(kReplacementCharacter);
    if (broken != std::string::npos) {
      const size_t place = offset + broken;
      if (place >= whole.size() ||
          std::string_view(whole).substr(place, 3) != kReplacementCharacter)
        continue;
    }
    offset += text.size();
    parts.push_back({std::move(text), end - begin});
    begin = end;
  }
  // Bytes that together are one broken character; faster-whisper loses them and
  // the word before.
  if (begin < tokens.size()) {
    parts.push_back(
        {Decode(tokenizer, tokens.subspan(begin)), tokens.size() - begin});
  }
  return parts;
}

}  // namespace

std::string_view StripSpaces(std::string_view text) {
  while (!text.empty()) {
    const Utf8Step step = FirstUtf8Step(text);
    if (step.kind != Utf8Step::Kind::kCharacter ||
        !IsSpace(DecodeUtf8Character(text.substr(0, step.num_bytes))))
      break;
    text.remove_prefix(step.num_bytes);
  }
  while (!text.empty()) {
    size_t begin = text.size() - 1;
    while (begin > 0 && (text[begin] & 0xC0) == 0x80) --begin;
    const std::string_view last = text.substr(begin);
    const Utf8Step step = FirstUtf8Step(last);
    if (step.kind != Utf8Step::Kind::kCharacter ||
        step.num_bytes != last.size() || !IsSpace(DecodeUtf8Character(last)))
      break;
    text.remove_suffix(last.size());
  }
  return text;
}

std::vector<TokenWord> SplitIntoWords(const Tokenizer& tokenizer,
                                      std::string_view language_code,
                                      absl::Span<const Token> tokens) {
  std::vector<TokenWord> parts = SplitIntoCharacters(tokenizer, tokens);
  if (IsWrittenWithoutSpaces(language_code)) return parts;
  std::vector<TokenWord> words;
  for (TokenWord& part : parts) {
    const bool begins_word =
        words.empty() || part.text.substr(0, 1) == " " ||
        kPunctuation.find(StripSpaces(part.text)) != std::string_view::npos;
    if (begins_word) {
      words.push_back(std::move(part));
    } else {
      words.back().text += part.text;
      words.back().num_tokens += part.num_tokens;
    }
  }
  return words;
}

}  // namespace specinfer
