// Text as Python sees it: code points, its idea of blanks and of letter case,
// for valid UTF-8.
#ifndef SPECINFER_SRC_TEXT_JINJA_UNICODE_H_
#define SPECINFER_SRC_TEXT_JINJA_UNICODE_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <string_view>

namespace specinfer::jinja {

// Length of the code point that begins with `lead`.
constexpr size_t CodePointBytes(char lead) {
  unsigned char byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

bool IsValidUtf8(std::string_view text);
size_t CountCodePoints(std::string_view text);
// The byte at which code point number `index` begins; the text's length when
// there are fewer.
size_t CodePointOffset(std::string_view text, size_t index);
// Decodes the code point at `offset` and moves past it.
// REQUIRES: offset < text.size().
uint32_t NextCodePoint(std::string_view text, size_t& offset);
void AppendCodePoint(uint32_t code_point, std::string& text);

// str.isspace of one character.
bool IsBlank(uint32_t code_point);
bool IsLetter(uint32_t code_point);
// What repr() would print as itself; rare unassigned code points count as
// printable.
bool IsPrintable(uint32_t code_point);

// Letter case of ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic; other
// scripts stay as they are.
uint32_t ToUpper(uint32_t code_point);
uint32_t ToLower(uint32_t code_point);
std::string Upper(std::string_view text);
std::string Lower(std::string_view text);

// Strips the code points of `chars` (blanks when `chars` is null) from the
// chosen ends.
std::string_view Strip(std::string_view text, const std::string_view* chars,
                       bool at_begin, bool at_end);

// Like std::string_view::find, in time linear in the text's length.
size_t FindText(std::string_view text, std::string_view wanted,
                size_t begin = 0);

}  // namespace specinfer::jinja

#endif  // SPECINFER_SRC_TEXT_JINJA_UNICODE_H_
