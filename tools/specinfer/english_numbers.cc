#include "english_numbers.h"

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include "decimal_text.h"
#include "english_characters.h"

namespace specinfer_cli {
namespace {

// One after the other.
template <typename... Parts>
std::string Cat(const Parts&... parts) {
  std::string text;
  (text.append(parts), ...);
  return text;
}

constexpr std::string_view kCurrencySymbols[] = {"-", "+", "£", "€", "$", "¢"};

// The symbol that `word` begins with; empty: none.
std::string_view SymbolOf(std::string_view word) {
  for (const std::string_view symbol : kCurrencySymbols) {
    if (word.substr(0, symbol.size()) == symbol) return symbol;
  }
  return {};
}

}  // namespace

EnglishNumbers::EnglishNumbers() {
  constexpr std::string_view kOnes[] = {
      "one",     "two",       "three",    "four",     "five",
      "six",     "seven",     "eight",    "nine",     "ten",
      "eleven",  "twelve",    "thirteen", "fourteen", "fifteen",
      "sixteen", "seventeen", "eighteen", "nineteen"};
  constexpr std::string_view kTens[] = {"twent", "thirt",  "fort",  "fift",
                                        "sixt",  "sevent", "eight", "ninet"};
  constexpr std::string_view kMultipliers[] = {
      "hundred",    "thousand",    "million",     "billion",
      "trillion",   "quadrillion", "quintillion", "sextillion",
      "septillion", "octillion",   "nonillion",   "decillion"};

  for (const std::string_view zero : {"o", "oh", "zero"})
    Add(zero, {Kind::kZero});
  Add("zeroth", {Kind::kOne, 0, "th"});
  Add("first", {Kind::kOne, 1, "st"});
  Add("second", {Kind::kOne, 2, "nd"});
  Add("third", {Kind::kOne, 3, "rd"});
  Add("fifth", {Kind::kOne, 5, "th"});
  Add("twelfth", {Kind::kOne, 12, "th"});
  int32_t value = 0;
  for (const std::string_view one : kOnes) {
    ++value;
    Add(one, {Kind::kOne, value});
    Add(Cat(one, value == 6 ? "es" : "s"), {Kind::kOne, value, "s"});
    if (value > 3 && value != 5 && value != 12)
      Add(Cat(one, value == 8 ? "h" : "th"), {Kind::kOne, value, "th"});
  }
  value = 10;
  for (const std::string_view ten : kTens) {
    value += 10;
    Add(Cat(ten, "y"), {Kind::kTen, value});
    Add(Cat(ten, "ies"), {Kind::kTen, value, "s"});
    Add(Cat(ten, "ieth"), {Kind::kTen, value, "th"});
  }
  value = 0;
  for (const std::string_view multiplier : kMultipliers) {
    value = value == 0 ? 2 : value == 2 ? 3 : value + 3;
    Add(multiplier, {Kind::kMultiplier, value});
    Add(Cat(multiplier, "s"), {Kind::kMultiplier, value, "s"});
    Add(Cat(multiplier, "th"), {Kind::kMultiplier, value, "th"});
  }
  Add("minus", {Kind::kSign, 0, "-"});
  Add("negative", {Kind::kSign, 0, "-"});
  Add("plus", {Kind::kSign, 0, "+"});
  Add("positive", {Kind::kSign, 0, "+"});
  for (const std::string_view plural : {"", "s"}) {
    Add(Cat("pound", plural), {Kind::kCurrency, 0, "£"});
    Add(Cat("euro", plural), {Kind::kCurrency, 0, "€"});
    Add(Cat("dollar", plural), {Kind::kCurrency, 0, "$"});
    Add(Cat("cent", plural), {Kind::kCurrency, 0, "¢"});
  }
  Add("per", {Kind::kPer});
  Add("percent", {Kind::kPercent});
  for (const std::string_view special : {"and", "double", "triple", "point"})
    Add(special, {Kind::kSpecial});
}

void EnglishNumbers::Add(std::string_view text, const Word& word) {
  words_.emplace(std::string(text), word);
}

const EnglishNumbers::Word* EnglishNumbers::Find(std::string_view text) const {
  const auto word = words_.find(std::string(text));
  return word == words_.end() ? nullptr : &word->second;
}

// Of the plain words: "three", not "third".
bool EnglishNumbers::IsKind(std::string_view text, Kind kind) const {
  const Word* const word = Find(text);
  return word != nullptr && word->kind == kind && word->affix.empty();
}

// Reads words from left to right. The number so far is an integer, to which
// words add, or a text of digits and points, to which they append.
class NumberReader {
 public:
  NumberReader(const EnglishNumbers& numbers,
               std::span<const std::string_view> words)
      : numbers_(numbers), words_(words) {}

  std::string Read() {
    for (size_t i = 0; i < words_.size(); ++i) {
      previous_ = i > 0 ? words_[i - 1] : std::string_view();
      current_ = words_[i];
      next_ = i + 1 < words_.size() ? words_[i + 1] : std::string_view();
      skips_next_ = false;
      ReadWord();
      if (skips_next_) ++i;
    }
    Flush();
    return std::move(output_);
  }

 private:
  using Kind = EnglishNumbers::Kind;
  using Word = EnglishNumbers::Word;

  void Output(std::string_view text) {
    if (!output_.empty()) output_.push_back(' ');
    output_.append(prefix_).append(text);
    prefix_ = {};
    value_.reset();
  }
  void Flush() {
    if (value_.has_value()) Output(std::string(*value_));
  }
  void FlushAndPass() {
    Flush();
    Output(current_);
  }

  void SetInteger(std::string digits) {
    value_ = std::move(digits);
    is_text_ = false;
  }
  void AppendText(std::string_view text) {
    const bool is_nothing =
        !value_.has_value() || (!is_text_ && *value_ == "0");
    value_ = is_nothing ? std::string(text) : Cat(*value_, text);
    is_text_ = true;
  }
  bool NextIsNumber() const { return IsDecimal(next_); }

  void ReadWord() {
    const std::string_view symbol = SymbolOf(current_);
    const std::string_view digits = current_.substr(symbol.size());
    if (IsDecimal(digits)) return ReadDigits(symbol, digits);
    const Word* const word = numbers_.Find(current_);
    if (word == nullptr) return FlushAndPass();
    switch (word->kind) {
      case Kind::kZero:
        return AppendText("0");
      case Kind::kOne:
      case Kind::kTen:
        return ReadSmall(*word);
      case Kind::kMultiplier:
        return ReadMultiplier(*word);
      case Kind::kSign:
        Flush();
        if (numbers_.Find(next_) != nullptr || NextIsNumber()) {
          prefix_ = word->affix;
        } else {
          Output(current_);
        }
        return;
      case Kind::kCurrency:
        if (value_.has_value()) {
          prefix_ = word->affix;
          return Flush();
        }
        return Output(current_);
      case Kind::kPer:
        if (!value_.has_value()) return Output(current_);
        if (next_ != "cent") return FlushAndPass();
        skips_next_ = true;
        return Output(Cat(*value_, "%"));
      case Kind::kPercent:
        return value_.has_value() ? Output(Cat(*value_, "%"))
                                  : Output(current_);
      case Kind::kSpecial:
        return ReadSpecial();
    }
  }

  void ReadDigits(std::string_view symbol, std::string_view digits) {
    if (value_.has_value()) {
      if (is_text_ && value_->back() == '.') {
        value_->append(current_);
        return;
      }
      Flush();
    }
    if (!symbol.empty()) prefix_ = symbol;
    std::optional<std::string> integer = TimesPowerOfTen(digits, 0);
    if (integer.has_value()) return SetInteger(*std::move(integer));
    value_ = std::string(digits);
    is_text_ = true;
  }

  // "three", "third", "thirty", "thirties": added where the number ends in
  // zeros enough, else appended.
  void ReadSmall(const Word& word) {
    const std::string digits = std::to_string(word.value);
    std::string number = digits;
    bool becomes_text = false;
    if (value_.has_value()) {
      const bool is_one = word.kind == Kind::kOne;
      const bool is_digit = is_one && word.value < 10;
      if (is_text_ || (is_one && numbers_.IsKind(previous_, Kind::kOne))) {
        const bool fills_zero =
            is_digit && numbers_.IsKind(previous_, Kind::kTen);
        number = fills_zero ? Cat(value_->substr(0, value_->size() - 1), digits)
                            : Cat(*value_, digits);
        becomes_text = true;
      } else if (EndsInZeros(*value_, is_digit ? 1 : 2)) {
        number = AddDecimals(*value_, digits);
      } else {
        number = Cat(*value_, digits);
        becomes_text = true;
      }
    }
    if (!word.affix.empty()) return Output(Cat(number, word.affix));
    value_ = std::move(number);
    is_text_ = becomes_text;
  }

  void ReadMultiplier(const Word& word) {
    const std::string multiplier = *TimesPowerOfTen("1", word.value);
    std::string number = multiplier;
    if (value_.has_value()) {
      const bool is_zero = !is_text_ && *value_ == "0";
      if (is_text_ || (is_zero && word.affix.empty())) {
        auto product = TimesPowerOfTen(*value_, word.value);
        if (product.has_value()) {
          number = *std::move(product);
        } else {
          Flush();
        }
      } else {
        number = MultiplyThousands(*value_, word.value);
      }
    }
    if (!word.affix.empty()) return Output(Cat(number, word.affix));
    SetInteger(std::move(number));
  }

  void ReadSpecial() {
    const bool next_counts = numbers_.Find(next_) != nullptr || NextIsNumber();
    if (!next_counts) return FlushAndPass();
    if (current_ == "and") {
      // Left out after hundreds, thousands and so on.
      if (!numbers_.IsKind(previous_, Kind::kMultiplier)) FlushAndPass();
    } else if (current_ == "point") {
      const bool is_decimal = numbers_.IsKind(next_, Kind::kOne) ||
                              numbers_.IsKind(next_, Kind::kTen) ||
                              numbers_.IsKind(next_, Kind::kZero);
      if (is_decimal || NextIsNumber()) AppendText(".");
    } else if (numbers_.IsKind(next_, Kind::kOne) ||
               numbers_.IsKind(next_, Kind::kZero)) {
      const std::string digits = std::to_string(numbers_.Find(next_)->value);
      AppendText(current_ == "double" ? Cat(digits, digits)
                                      : Cat(digits, digits, digits));
      skips_next_ = true;
    } else {
      FlushAndPass();
    }
  }

  const EnglishNumbers& numbers_;
  const std::span<const std::string_view> words_;
  std::string_view previous_, current_, next_;
  bool skips_next_ = false;
  std::string_view prefix_;           // of the next output
  std::optional<std::string> value_;  // the number so far
  bool is_text_ = false;
  std::string output_;
};

// "two and a half" is "two point five"; letters and digits are apart, but for
// the suffixes of numbers.
std::string EnglishNumbers::Preprocess(std::string_view text) const {
  std::string joined;
  auto append = [&joined, is_first = true](std::string_view part) mutable {
    if (!is_first) joined.push_back(' ');
    is_first = false;
    joined.append(part);
  };
  const std::vector<std::string_view> parts = SplitAtAndAHalf(text);
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::vector<std::string_view> words = SplitAtSpaces(parts[i]);
    if (words.empty()) continue;
    append(parts[i]);
    if (i + 1 == parts.size()) break;
    const Word* const last = Find(words.back());
    const bool is_number =
        last != nullptr && last->affix.empty() &&
        (last->kind == Kind::kZero || last->kind == Kind::kOne ||
         last->kind == Kind::kTen || last->kind == Kind::kMultiplier);
    append(is_number ? "point five" : "and a half");
  }
  return SeparateDigits(joined);
}

std::string EnglishNumbers::Digits(std::string_view text) const {
  const std::string separated = Preprocess(text);
  const std::vector<std::string_view> words = SplitAtSpaces(separated);
  return TidyNumbers(NumberReader(*this, words).Read());
}

}  // namespace specinfer_cli
