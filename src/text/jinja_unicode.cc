#include "src/text/jinja_unicode.h"

#include <vector>

namespace specinfer::jinja {
namespace {

bool IsContinuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

bool Contains(std::string_view chars, uint32_t code_point) {
  for (size_t offset = 0; offset < chars.size();) {
    if (NextCodePoint(chars, offset) == code_point) return true;
  }
  return false;
}

bool IsIn(uint32_t code_point, uint32_t first, uint32_t last) {
  return code_point >= first && code_point <= last;
}

// Latin Extended-A pairs an even capital with the odd letter after it, except
// in two stretches.
bool IsOddCapital(uint32_t code_point) {
  return IsIn(code_point, 0x139, 0x148) || IsIn(code_point, 0x179, 0x17E);
}

bool IsPaired(uint32_t code_point) {
  return (IsIn(code_point, 0x100, 0x17E) && code_point != 0x130 &&
          code_point != 0x131 && code_point != 0x138 && code_point != 0x149 &&
          code_point != 0x178) ||
         IsIn(code_point, 0x460, 0x481) || IsIn(code_point, 0x48A, 0x4BF) ||
         IsIn(code_point, 0x4D0, 0x52F) || IsIn(code_point, 0x1E00, 0x1E95) ||
         IsIn(code_point, 0x1EA0, 0x1EFF);
}

// KMP: hostile texts must not make the search quadratic.
size_t FindLong(std::string_view text, std::string_view wanted, size_t begin) {
  std::vector<uint32_t> border(wanted.size(), 0);
  for (size_t i = 1, matched = 0; i < wanted.size(); ++i) {
    while (matched > 0 && wanted[i] != wanted[matched])
      matched = border[matched - 1];
    if (wanted[i] == wanted[matched]) ++matched;
    border[i] = static_cast<uint32_t>(matched);
  }
  for (size_t i = begin, matched = 0; i < text.size(); ++i) {
    while (matched > 0 && text[i] != wanted[matched])
      matched = border[matched - 1];
    if (text[i] == wanted[matched]) ++matched;
    if (matched == wanted.size()) return i + 1 - matched;
  }
  return std::string_view::npos;
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    unsigned char lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    if (lead < 0xC2 || lead > 0xF4) return false;
    size_t num_bytes = CodePointBytes(text[i]);
    if (i + num_bytes > text.size()) return false;
    for (size_t k = 1; k < num_bytes; ++k) {
      if (!IsContinuation(text[i + k])) return false;
    }
    unsigned char second = static_cast<unsigned char>(text[i + 1]);
    bool is_overlong =
        (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
    bool is_surrogate = lead == 0xED && second > 0x9F;
    if (is_overlong || is_surrogate || (lead == 0xF4 && second > 0x8F))
      return false;
    i += num_bytes;
  }
  return true;
}

size_t CountCodePoints(std::string_view text) {
  size_t num_code_points = 0;
  for (char byte : text) num_code_points += !IsContinuation(byte);
  return num_code_points;
}

size_t CodePointOffset(std::string_view text, size_t index) {
  size_t offset = 0;
  for (; index > 0 && offset < text.size(); --index)
    offset += CodePointBytes(text[offset]);
  return offset;
}

uint32_t NextCodePoint(std::string_view text, size_t& offset) {
  unsigned char lead = static_cast<unsigned char>(text[offset]);
  size_t num_bytes = CodePointBytes(text[offset]);
  uint32_t code_point = num_bytes == 1 ? lead : lead & (0x7Fu >> num_bytes);
  for (size_t k = 1; k < num_bytes && offset + k < text.size(); ++k) {
    code_point = (code_point << 6) |
                 (static_cast<unsigned char>(text[offset + k]) & 0x3Fu);
  }
  offset += num_bytes;
  return code_point;
}

void AppendCodePoint(uint32_t code_point, std::string& text) {
  auto append = [&text](uint32_t byte) {
    text.push_back(static_cast<char>(byte));
  };
  if (code_point < 0x80) {
    append(code_point);
  } else if (code_point < 0x800) {
    append(0xC0 | code_point >> 6);
    append(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    append(0xE0 | code_point >> 12);
    append(0x80 | (code_point >> 6 & 0x3F));
    append(0x80 | (code_point & 0x3F));
  } else {
    append(0xF0 | code_point >> 18);
    append(0x80 | (code_point >> 12 & 0x3F));
    append(0x80 | (code_point >> 6 & 0x3F));
    append(0x80 | (code_point & 0x3F));
  }
}

bool IsBlank(uint32_t code_point) {
  return IsIn(code_point, 0x09, 0x0D) || IsIn(code_point, 0x1C, 0x20) ||
         code_point == 0x85 || code_point == 0xA0 || code_point == 0x1680 ||
         IsIn(code_point, 0x2000, 0x200A) || code_point == 0x2028 ||
         code_point == 0x2029 || code_point == 0x202F || code_point == 0x205F ||
         code_point == 0x3000;
}

bool IsLetter(uint32_t code_point) {
  if (code_point < 0x80) return IsIn(code_point | 0x20, 'a', 'z');
  return code_point >= 0xC0 && code_point != 0xD7 && code_point != 0xF7 &&
         !IsIn(code_point, 0x2000, 0x2BFF) &&
         !IsIn(code_point, 0x3000, 0x3004) &&
         !IsIn(code_point, 0x3008, 0x3020) &&
         !IsIn(code_point, 0xD800, 0xF8FF) &&
         !IsIn(code_point, 0xFE00, 0xFE6F) &&
         !IsIn(code_point, 0xFF00, 0xFF20) &&
         !IsIn(code_point, 0x1F000, 0x1FAFF);
}

bool IsPrintable(uint32_t code_point) {
  if (code_point == ' ') return true;
  bool is_hidden =
      code_point < 0x20 || IsIn(code_point, 0x7F, 0xA0) || code_point == 0xAD ||
      IsBlank(code_point) || IsIn(code_point, 0x600, 0x605) ||
      code_point == 0x61C || code_point == 0x180E ||
      IsIn(code_point, 0x200B, 0x200F) || IsIn(code_point, 0x2028, 0x202E) ||
      IsIn(code_point, 0x2060, 0x206F) || IsIn(code_point, 0xD800, 0xF8FF) ||
      code_point == 0xFEFF || IsIn(code_point, 0xFFF0, 0xFFFB) ||
      code_point == 0xFFFE || code_point == 0xFFFF ||
      IsIn(code_point, 0xE0000, 0xE00FF) || code_point >= 0xF0000;
  return !is_hidden;
}

uint32_t ToUpper(uint32_t c) {
  if (c < 0x80) return IsIn(c, 'a', 'z') ? c - 0x20 : c;
  if (c == 0xB5) return 0x39C;
  if (IsIn(c, 0xE0, 0xFE) && c != 0xF7) return c - 0x20;
  if (c == 0xFF) return 0x178;
  if (c == 0x131) return 'I';
  if (c == 0x17F) return 'S';
  if (IsPaired(c))
    return (IsOddCapital(c) ? c % 2 == 0 : c % 2 == 1) ? c - 1 : c;
  if (c == 0x3AC) return 0x386;
  if (IsIn(c, 0x3AD, 0x3AF)) return c - 37;
  if (c == 0x3C2) return 0x3A3;
  if (IsIn(c, 0x3B1, 0x3CB)) return c - 0x20;
  if (c == 0x3CC) return 0x38C;
  if (c == 0x3CD || c == 0x3CE) return c - 63;
  if (IsIn(c, 0x430, 0x44F)) return c - 0x20;
  if (IsIn(c, 0x450, 0x45F)) return c - 0x50;
  return c;
}

uint32_t ToLower(uint32_t c) {
  if (c < 0x80) return IsIn(c, 'A', 'Z') ? c + 0x20 : c;
  if (IsIn(c, 0xC0, 0xDE) && c != 0xD7) return c + 0x20;
  if (c == 0x178) return 0xFF;
  if (IsPaired(c))
    return (IsOddCapital(c) ? c % 2 == 1 : c % 2 == 0) ? c + 1 : c;
  if (c == 0x386) return 0x3AC;
  if (IsIn(c, 0x388, 0x38A)) return c + 37;
  if (c == 0x38C) return 0x3CC;
  if (c == 0x38E || c == 0x38F) return c + 63;
  if (IsIn(c, 0x391, 0x3AB)) return c + 0x20;
  if (IsIn(c, 0x410, 0x42F)) return c + 0x20;
  if (IsIn(c, 0x400, 0x40F)) return c + 0x50;
  return c;
}

std::string Upper(std::string_view text) {
  std::string upper;
  upper.reserve(text.size());
  for (size_t offset = 0; offset < text.size();) {
    uint32_t code_point = NextCodePoint(text, offset);
    if (code_point == 0xDF) {
      upper += "SS";
    } else {
      AppendCodePoint(ToUpper(code_point), upper);
    }
  }
  return upper;
}

std::string Lower(std::string_view text) {
  std::string lower;
  lower.reserve(text.size());
  for (size_t offset = 0; offset < text.size();) {
    uint32_t code_point = NextCodePoint(text, offset);
    AppendCodePoint(code_point == 0x130 ? 'i' : ToLower(code_point), lower);
    if (code_point == 0x130)
      AppendCodePoint(0x307, lower);  // the dot of a Turkish capital stays
  }
  return lower;
}

std::string_view Strip(std::string_view text, const std::string_view* chars,
                       bool at_begin, bool at_end) {
  auto strips = [chars](uint32_t c) {
    return chars == nullptr ? IsBlank(c) : Contains(*chars, c);
  };
  while (at_begin && !text.empty()) {
    size_t offset = 0;
    if (!strips(NextCodePoint(text, offset))) break;
    text.remove_prefix(offset);
  }
  while (at_end && !text.empty()) {
    size_t begin = text.size() - 1;
    while (begin > 0 && IsContinuation(text[begin])) --begin;
    size_t offset = begin;
    if (!strips(NextCodePoint(text, offset))) break;
    text.remove_suffix(text.size() - begin);
  }
  return text;
}

size_t FindText(std::string_view text, std::string_view wanted, size_t begin) {
  constexpr size_t kShort = 16;
  if (wanted.size() <= kShort) return text.find(wanted, begin);
  return FindLong(text, wanted, begin);
}

}  // namespace specinfer::jinja
