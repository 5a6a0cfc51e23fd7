#include "decimal_text.h"

#include <algorithm>

#include "english_characters.h"

namespace specinfer_cli {
namespace {

bool IsDigits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), IsDigit);
}

std::string WithoutLeadingZeros(std::string digits) {
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  return digits;
}

}  // namespace

bool IsDecimal(std::string_view text) {
  const size_t point = text.find('.');
  if (point == std::string_view::npos) return !text.empty() && IsDigits(text);
  return point > 0 && point + 1 < text.size() &&
         IsDigits(text.substr(0, point)) && IsDigits(text.substr(point + 1));
}

std::optional<std::string> TimesPowerOfTen(std::string_view text, int power) {
  const size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  std::string_view rest =
      point < text.size() ? text.substr(point + 1) : std::string_view();
  if ((whole.empty() && rest.empty()) || !IsDigits(whole) || !IsDigits(rest))
    return std::nullopt;
  while (!rest.empty() && rest.back() == '0') rest.remove_suffix(1);
  const size_t num_places = static_cast<size_t>(power);
  if (rest.size() > num_places) return std::nullopt;
  std::string digits(whole);
  digits.append(rest).append(num_places - rest.size(), '0');
  if (digits.empty()) digits = "0";
  return WithoutLeadingZeros(std::move(digits));
}

bool EndsInZeros(std::string_view number, size_t count) {
  if (number == "0") return true;
  return number.size() >= count &&
         number.find_last_not_of('0') + count < number.size();
}

std::string AddDecimals(std::string_view a, std::string_view b) {
  std::string sum;  // the last digit first
  int carry = 0;
  for (size_t i = 0; i < std::max(a.size(), b.size()) || carry > 0; ++i) {
    if (i < a.size()) carry += a[a.size() - 1 - i] - '0';
    if (i < b.size()) carry += b[b.size() - 1 - i] - '0';
    sum.push_back(static_cast<char>('0' + carry % 10));
    carry /= 10;
  }
  std::reverse(sum.begin(), sum.end());
  return sum;
}

std::string MultiplyThousands(std::string_view number, int power) {
  const size_t num_before = number.size() > 3 ? number.size() - 3 : 0;
  std::string before(number.substr(0, num_before));
  before.append(num_before > 0 ? 3 : 0, '0');
  const std::string product =
      *TimesPowerOfTen(number.substr(num_before), power);
  return WithoutLeadingZeros(AddDecimals(before, product));
}

}  // namespace specinfer_cli
