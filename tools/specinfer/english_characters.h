// Characters and words of English text, as the normaliser's patterns mean them.
#ifndef SPECINFER_TOOLS_SPECINFER_ENGLISH_CHARACTERS_H_
#define SPECINFER_TOOLS_SPECINFER_ENGLISH_CHARACTERS_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace specinfer_cli {

inline bool IsDigit(char c) { return c >= '0' && c <= '9'; }
inline bool IsLetter(char c) { return c >= 'a' && c <= 'z'; }
inline bool IsAsciiSpace(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F);
}

// Bytes of the character at `place`; 1 for what is no UTF-8.
size_t CharacterBytes(std::string_view text, size_t place);

// A space for a symbol, nothing for a mark, else the character: by what Unicode
// says of it alone. Ill-formed bytes are symbols.
std::string_view PlainCharacter(std::string_view character);

// A regular expression's \b: a letter, digit or _ on one side alone.
bool IsWordBoundary(std::string_view text, size_t place);

std::vector<std::string_view> SplitAtSpaces(std::string_view text);

// Around every "and a half".
std::vector<std::string_view> SplitAtAndAHalf(std::string_view text);

// Puts spaces between letters and digits, but for 1st, 2nd, 3rd, 4th and 5s.
std::string SeparateDigits(std::string_view text);

// "$2 and ¢7" is "$2.07", "$0.07" is "¢7", and a lone 1 is "one".
std::string TidyNumbers(std::string_view text);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_ENGLISH_CHARACTERS_H_
