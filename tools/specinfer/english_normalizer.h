// English text as word error rates compare it: without what two people would
// write differently for the same words.
#ifndef SPECINFER_TOOLS_SPECINFER_ENGLISH_NORMALIZER_H_
#define SPECINFER_TOOLS_SPECINFER_ENGLISH_NORMALIZER_H_

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "english_numbers.h"

namespace specinfer_cli {

// OpenAI's EnglishTextNormalizer (openai/whisper, normalizers/english.py):
// lower case; nothing in brackets and no "hmm"; contractions and titles in
// full; numbers in digits; American spelling; no punctuation and no diacritics.
//
// Left out, since English does without it: letters that are not Latin keep
// their case and their diacritics, and wide ones stay wide; digits and white
// space beyond ASCII are not counted as such where the patterns ask for them;
// Unicode's symbols are those of the common blocks (up to U+2BFF, CJK
// punctuation, emoji). Ill-formed UTF-8 becomes spaces.
//
// Immutable and thread-safe.
class EnglishNormalizer {
 public:
  EnglishNormalizer();

  std::string Normalize(std::string_view text) const;
  // The words of the normalised text.
  std::vector<std::string> Words(std::string_view text) const;

 private:
  std::string WithoutSymbols(std::string_view text) const;
  std::string AmericanSpelling(std::string_view text) const;

  const EnglishNumbers numbers_;
  std::unordered_map<std::string_view, std::string_view> letters_;
  std::unordered_map<std::string_view, std::string_view> spellings_;
};

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_ENGLISH_NORMALIZER_H_
