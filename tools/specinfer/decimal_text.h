// Numbers of any length, written in decimal digits.
#ifndef SPECINFER_TOOLS_SPECINFER_DECIMAL_TEXT_H_
#define SPECINFER_TOOLS_SPECINFER_DECIMAL_TEXT_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace specinfer_cli {

// Digits, and perhaps a point and digits.
bool IsDecimal(std::string_view text);

// `text` · 10^power without zeros before it; nullopt: `text` is no number (".5"
// and "5." are), or the product is no integer.
std::optional<std::string> TimesPowerOfTen(std::string_view text, int power);

// REQUIRES for the rest: integers, without zeros before them.

// The last `count` digits are 0, or the number is.
bool EndsInZeros(std::string_view number, size_t count);
std::string AddDecimals(std::string_view a, std::string_view b);
// The last three digits times 10^power, added to the rest.
std::string MultiplyThousands(std::string_view number, int power);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_DECIMAL_TEXT_H_
