#include "english_characters.h"

#include <algorithm>

#include "english_tables.h"

namespace specinfer_cli {
namespace {

struct Character {
  char32_t code_point;
  size_t num_bytes;  // 0: there is no well-formed character
};

// The first of UTF-8 that may be ill-formed (RFC 3629).
Character ReadCharacter(std::string_view text) {
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const auto byte = [text](size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[i]));
  };
  if (byte(0) < 0x80) return {byte(0), 1};
  const size_t num_bytes = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (byte(0) < 0xC0 || byte(0) >= 0xF8 || text.size() < num_bytes)
    return {0, 0};
  char32_t code_point = byte(0) & (0x7Fu >> num_bytes);
  for (size_t i = 1; i < num_bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {0, 0};
    code_point = code_point << 6 | (byte(i) & 0x3F);
  }
  const bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (code_point < kSmallest[num_bytes] || code_point > 0x10FFFF ||
      is_surrogate)
    return {0, 0};
  return {code_point, num_bytes};
}

bool IsIn(std::span<const CodePointRange> ranges, char32_t character) {
  const auto range = std::upper_bound(
      ranges.begin(), ranges.end(), character,
      [](char32_t c, const CodePointRange& r) { return c < r.first; });
  return range != ranges.begin() && character <= (range - 1)->last;
}

// Whether a regular expression's \w is at `place`.
bool IsWordCharacter(std::string_view text, size_t place) {
  const char c = text[place];
  if (static_cast<unsigned char>(c) < 0x80)
    return IsLetter(c) || IsDigit(c) || c == '_' || (c >= 'A' && c <= 'Z');
  const auto [character, num_bytes] = ReadCharacter(text.substr(place));
  if (num_bytes == 0) return false;
  // Symbols that stay, and punctuation that becomes periods.
  const bool is_kept_symbol = character == 0xA2 || character == 0xA3 ||
                              character == 0x20AC || character == 0x2122 ||
                              (character >= 0x2000 && character <= 0x206F);
  return !is_kept_symbol && !IsIn(Symbols(), character) &&
         !IsIn(Marks(), character);
}

size_t SkipSpaces(std::string_view text, size_t place) {
  while (place < text.size() && IsAsciiSpace(text[place])) ++place;
  return place;
}

size_t SkipDigits(std::string_view text, size_t place) {
  while (place < text.size() && IsDigit(text[place])) ++place;
  return place;
}

// Bytes of €, £ or $ at `place`, else 0.
size_t CurrencyBytes(std::string_view text, size_t place) {
  for (const std::string_view symbol : {"€", "£", "$"}) {
    if (text.substr(place, symbol.size()) == symbol) return symbol.size();
  }
  return 0;
}

// "05" as "5".
std::string_view WithoutZero(std::string_view digits) {
  if (digits.size() == 2 && digits[0] == '0') digits.remove_prefix(1);
  return digits;
}

// "$2 and ¢7" at `place`: appends "$2.07" and returns its end; 0: not there.
size_t CombineCents(std::string_view text, size_t place, std::string* out) {
  const size_t number = place + CurrencyBytes(text, place);
  const size_t number_end = SkipDigits(text, number);
  if (number == place || number_end == number) return 0;
  std::string_view rest = text.substr(number_end);
  if (rest.substr(0, 1) != " ") return 0;
  rest.remove_prefix(rest.substr(1, 4) == "and " ? 5 : 1);
  constexpr std::string_view kCent = "¢";
  if (rest.substr(0, kCent.size()) != kCent) return 0;
  const size_t cents = text.size() - rest.size() + kCent.size();
  const size_t end = SkipDigits(text, cents);
  if (end == cents || end > cents + 2 || !IsWordBoundary(text, end)) return 0;
  out->append(text.substr(place, number_end - place)).push_back('.');
  if (end == cents + 1) out->push_back('0');
  out->append(text.substr(cents, end - cents));
  return end;
}

// "$0.07" at `place`, with any character for the point.
size_t ExtractCents(std::string_view text, size_t place, std::string* out) {
  const size_t zero = place + CurrencyBytes(text, place);
  if (zero == place || text.substr(zero, 1) != "0" || zero + 1 >= text.size())
    return 0;
  const size_t cents = zero + 1 + CharacterBytes(text, zero + 1);
  const size_t end = SkipDigits(text, cents);
  if (end == cents || end > cents + 2 || !IsWordBoundary(text, end)) return 0;
  out->append("¢").append(WithoutZero(text.substr(cents, end - cents)));
  return end;
}

// A lone "1" or "1s" at `place`.
size_t SpellOne(std::string_view text, size_t place, std::string* out) {
  if (text[place] != '1' || !IsWordBoundary(text, place)) return 0;
  for (const std::string_view plural : {"s", ""}) {
    const size_t end = place + 1 + plural.size();
    if (text.substr(place + 1, plural.size()) != plural ||
        !IsWordBoundary(text, end))
      continue;
    out->append("one").append(plural);
    return end;
  }
  return 0;
}

// Replaces what `replace` finds, from left to right.
template <typename Replacement>
std::string ReplaceAll(std::string_view text, Replacement replace) {
  std::string out;
  for (size_t place = 0; place < text.size();) {
    const size_t end = replace(text, place, &out);
    if (end == 0) {
      out.push_back(text[place++]);
    } else {
      place = end;
    }
  }
  return out;
}

}  // namespace

size_t CharacterBytes(std::string_view text, size_t place) {
  return std::max<size_t>(ReadCharacter(text.substr(place)).num_bytes, 1);
}

std::string_view PlainCharacter(std::string_view character) {
  const char c = character[0];
  if (static_cast<unsigned char>(c) < 0x80) {
    const bool is_symbol = c > ' ' && c < 0x7F && !IsLetter(c) && !IsDigit(c) &&
                           !(c >= 'A' && c <= 'Z');
    return is_symbol ? " " : character;
  }
  const auto [code_point, num_bytes] = ReadCharacter(character);
  if (num_bytes == 0) return " ";
  if (IsIn(Marks(), code_point)) return "";
  return IsIn(Symbols(), code_point) ? " " : character;
}

bool IsWordBoundary(std::string_view text, size_t place) {
  bool is_word_before = false;
  if (place > 0) {
    size_t before = place - 1;
    while (before > 0 && (text[before] & 0xC0) == 0x80) --before;
    is_word_before = IsWordCharacter(text, before);
  }
  const bool is_word_after =
      place < text.size() && IsWordCharacter(text, place);
  return is_word_before != is_word_after;
}

std::vector<std::string_view> SplitAtSpaces(std::string_view text) {
  std::vector<std::string_view> words;
  size_t place = SkipSpaces(text, 0);
  while (place < text.size()) {
    size_t end = place;
    while (end < text.size() && !IsAsciiSpace(text[end])) ++end;
    words.push_back(text.substr(place, end - place));
    place = SkipSpaces(text, end);
  }
  return words;
}

std::vector<std::string_view> SplitAtAndAHalf(std::string_view text) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  for (size_t place = 0; place < text.size(); ++place) {
    if (text.substr(place, 3) != "and" || !IsWordBoundary(text, place))
      continue;
    const size_t a = SkipSpaces(text, place + 3);
    if (a == place + 3 || text.substr(a, 1) != "a") continue;
    const size_t half = SkipSpaces(text, a + 1);
    if (half == a + 1 || text.substr(half, 4) != "half" ||
        !IsWordBoundary(text, half + 4))
      continue;
    parts.push_back(text.substr(begin, place - begin));
    begin = half + 4;
    place = begin - 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

std::string SeparateDigits(std::string_view text) {
  std::string spaced;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_edge =
        i > 0 && ((IsLetter(text[i - 1]) && IsDigit(text[i])) ||
                  (IsDigit(text[i - 1]) && IsLetter(text[i])));
    if (is_edge) spaced.push_back(' ');
    spaced.push_back(text[i]);
  }
  std::string joined;
  for (size_t i = 0; i < spaced.size(); ++i) {
    joined.push_back(spaced[i]);
    if (!IsDigit(spaced[i])) continue;
    const size_t suffix = SkipSpaces(spaced, i + 1);
    if (suffix == i + 1) continue;
    for (const std::string_view text_of : {"st", "nd", "rd", "th", "s"}) {
      const size_t end = suffix + text_of.size();
      if (std::string_view(spaced).substr(suffix, text_of.size()) != text_of ||
          !IsWordBoundary(spaced, end))
        continue;
      joined.append(text_of);
      i = end - 1;
      break;
    }
  }
  return joined;
}

std::string TidyNumbers(std::string_view text) {
  return ReplaceAll(ReplaceAll(ReplaceAll(text, CombineCents), ExtractCents),
                    SpellOne);
}

}  // namespace specinfer_cli
