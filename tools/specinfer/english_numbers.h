// English number words as digits.
#ifndef SPECINFER_TOOLS_SPECINFER_ENGLISH_NUMBERS_H_
#define SPECINFER_TOOLS_SPECINFER_ENGLISH_NUMBERS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace specinfer_cli {

// As EnglishNumberNormalizer of openai/whisper, normalizers/english.py, quirks
// included: "twenty-one hundred and five dollars" (without its hyphen) becomes
// "$2105", "one oh one" "101", "nineteen sixties" "1960s", "four percent" "4%",
// and a lone 1 "one". Numbers may be of any length. Digits are ASCII.
//
// Immutable and thread-safe.
class EnglishNumbers {
 public:
  EnglishNumbers();

  // `text`: lower case, without punctuation but .%$¢€£.
  std::string Digits(std::string_view text) const;

 private:
  friend class NumberReader;

  enum class Kind : uint8_t {
    kZero,
    kOne,         // one … nineteen
    kTen,         // twenty … ninety
    kMultiplier,  // value: the power of ten
    kSign,        // minus, before a number
    kCurrency,    // dollars, after a number
    kPer,
    kPercent,
    kSpecial,  // and, double, triple, point
  };
  struct Word {
    Kind kind;
    int32_t value = 0;
    std::string_view affix;  // "th", "s"; a sign or currency's symbol
  };

  void Add(std::string_view text, const Word& word);
  // Null: not a word of numbers.
  const Word* Find(std::string_view text) const;
  bool IsKind(std::string_view text, Kind kind) const;

  std::string Preprocess(std::string_view text) const;

  std::unordered_map<std::string, Word> words_;
};

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_ENGLISH_NUMBERS_H_
