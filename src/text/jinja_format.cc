// The two small format languages of templates: printf-style text and dates.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/text/jinja_builtins.h"
#include "src/text/jinja_print.h"
#include "src/text/jinja_unicode.h"

namespace specinfer::jinja {
namespace {

constexpr int kMaxWidth = 1000;

struct Directive {
  bool is_left = false;
  bool has_zeros = false;
  bool has_plus = false;
  int width = 0;
  int precision = -1;
  char type = 's';
};

void AppendPadded(std::string text, const Directive& directive, bool is_number,
                  std::string& out) {
  size_t length = CountCodePoints(text);
  size_t missing = length < static_cast<size_t>(directive.width)
                       ? static_cast<size_t>(directive.width) - length
                       : 0;
  if (directive.is_left) {
    out += text + std::string(missing, ' ');
  } else if (directive.has_zeros && is_number) {
    size_t sign = !text.empty() && (text[0] == '-' || text[0] == '+');
    out += text.substr(0, sign) + std::string(missing, '0') + text.substr(sign);
  } else {
    out += std::string(missing, ' ') + text;
  }
}

absl::Status AppendInteger(const Value& value, const Directive& directive,
                           std::string& out) {
  if (!value.is_number() || !std::isfinite(value.number()) ||
      std::abs(value.number()) > 9.2e18) {
    return absl::InvalidArgumentError(
        Cat("\"%", std::string(1, directive.type), "\" needs a number"));
  }
  bool is_decimal = directive.type == 'd' || directive.type == 'i';
  if (!is_decimal && !value.is_integer())
    return absl::InvalidArgumentError("\"%x\" needs an integer");
  int64_t integer = value.is_integer() ? value.integer()
                                       : static_cast<int64_t>(value.number());
  uint64_t magnitude = integer < 0
                           ? uint64_t{0} - static_cast<uint64_t>(integer)
                           : static_cast<uint64_t>(integer);
  std::string digits = is_decimal ? Cat(magnitude)
                       : directive.type == 'x'
                           ? absl::StrFormat("%x", magnitude)
                           : absl::StrFormat("%X", magnitude);
  std::string_view sign = integer < 0 ? "-" : directive.has_plus ? "+" : "";
  AppendPadded(Cat(sign, digits), directive, /*is_number=*/true, out);
  return absl::OkStatus();
}

absl::Status AppendDirective(Arena& arena, const Value& value,
                             const Directive& directive, std::string& out) {
  switch (directive.type) {
    case 's':
    case 'r': {
      std::string text;
      SPECINFER_RETURN_IF_ERROR(directive.type == 's'
                                    ? AppendStr(arena, value, text)
                                    : AppendRepr(arena, value, text));
      if (directive.precision >= 0)
        text.resize(
            CodePointOffset(text, static_cast<size_t>(directive.precision)));
      AppendPadded(std::move(text), directive, /*is_number=*/false, out);
      return absl::OkStatus();
    }
    case 'd':
    case 'i':
    case 'x':
    case 'X':
      return AppendInteger(value, directive, out);
    case 'f':
    case 'F':
    case 'e':
    case 'g': {
      if (!value.is_number())
        return absl::InvalidArgumentError("\"%f\" needs a number");
      int precision = directive.precision < 0 ? 6 : directive.precision;
      double number = value.number();
      std::string text =
          directive.type == 'e'   ? absl::StrFormat("%.*e", precision, number)
          : directive.type == 'g' ? absl::StrFormat("%.*g", precision, number)
                                  : absl::StrFormat("%.*f", precision, number);
      if (directive.has_plus && text[0] != '-') text.insert(0, "+");
      AppendPadded(std::move(text), directive, /*is_number=*/true, out);
      return absl::OkStatus();
    }
    default:
      return absl::InvalidArgumentError(Cat(
          "format \"%", std::string(1, directive.type), "\" is not supported"));
  }
}

// Reads flags, width and precision; leaves `offset` behind the type.
absl::Status ParseDirective(std::string_view format, size_t& offset,
                            Directive& directive) {
  for (;
       offset < format.size() &&
       std::string_view("-0+ #").find(format[offset]) != std::string_view::npos;
       ++offset) {
    directive.is_left |= format[offset] == '-';
    directive.has_zeros |= format[offset] == '0';
    directive.has_plus |= format[offset] == '+';
    if (format[offset] == ' ' || format[offset] == '#')
      return absl::InvalidArgumentError("format flag is not supported");
  }
  auto number = [&] {
    int value = 0;
    for (; offset < format.size() && format[offset] >= '0' &&
           format[offset] <= '9';
         ++offset) {
      value = std::min(value * 10 + (format[offset] - '0'), kMaxWidth + 1);
    }
    return value;
  };
  directive.width = number();
  if (offset < format.size() && format[offset] == '.') {
    ++offset;
    directive.precision = number();
  }
  if (directive.width > kMaxWidth || directive.precision > kMaxWidth) {
    return absl::InvalidArgumentError(Cat("format is wider than ", kMaxWidth));
  }
  if (offset >= format.size())
    return absl::InvalidArgumentError("format is incomplete");
  directive.type = format[offset++];
  return absl::OkStatus();
}

struct Moment {
  std::chrono::year_month_day day;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

Moment Now() {
  auto now = std::chrono::floor<std::chrono::seconds>(
      std::chrono::system_clock::now());
  auto midnight = std::chrono::floor<std::chrono::days>(now);
  int seconds = static_cast<int>((now - midnight).count());
  return {std::chrono::year_month_day(midnight), seconds / 3600,
          seconds / 60 % 60, seconds % 60};
}

// 2024-07-26, optionally with T12:30:00 behind it.
absl::StatusOr<Moment> ParseDate(std::string_view text) {
  auto error = [text] {
    return absl::InvalidArgumentError(Cat(
        "date \"", text, "\" is not like 2024-07-26 or 2024-07-26T12:30:00"));
  };
  constexpr std::string_view kPattern = "0000-00-00T00:00:00";
  if (text.size() != 10 && text.size() != kPattern.size()) return error();
  int fields[6] = {};
  int field = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    bool is_digit = text[i] >= '0' && text[i] <= '9';
    if (kPattern[i] == '0' ? !is_digit : text[i] != kPattern[i]) return error();
    if (is_digit) {
      fields[field] = fields[field] * 10 + (text[i] - '0');
    } else {
      ++field;
    }
  }
  Moment moment{std::chrono::year(fields[0]) / fields[1] / fields[2], fields[3],
                fields[4], fields[5]};
  if (!moment.day.ok() || fields[0] == 0 || fields[3] > 23 || fields[4] > 59 ||
      fields[5] > 59)
    return error();
  return moment;
}

constexpr std::string_view kMonths[] = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::string_view kDays[] = {"Sunday",    "Monday",   "Tuesday",
                                      "Wednesday", "Thursday", "Friday",
                                      "Saturday"};

absl::Status AppendDateField(char code, bool is_unpadded, const Moment& moment,
                             std::string& out) {
  unsigned month = static_cast<unsigned>(moment.day.month()) - 1;
  unsigned weekday =
      std::chrono::weekday(std::chrono::sys_days(moment.day)).c_encoding();
  auto two_digits = [&](int number) {
    out += is_unpadded ? Cat(number) : absl::StrFormat("%02d", number);
  };
  switch (code) {
    case 'Y':
      out += Cat(static_cast<int>(moment.day.year()));
      break;
    case 'y':
      two_digits(static_cast<int>(moment.day.year()) % 100);
      break;
    case 'm':
      two_digits(static_cast<int>(month) + 1);
      break;
    case 'd':
      two_digits(static_cast<int>(static_cast<unsigned>(moment.day.day())));
      break;
    case 'e':
      absl::StrAppendFormat(
          &out, "%2d",
          static_cast<int>(static_cast<unsigned>(moment.day.day())));
      break;
    case 'B':
    case 'b':
      out += code == 'B' ? kMonths[month] : kMonths[month].substr(0, 3);
      break;
    case 'A':
    case 'a':
      out += code == 'A' ? kDays[weekday] : kDays[weekday].substr(0, 3);
      break;
    case 'H':
      two_digits(moment.hour);
      break;
    case 'I':
      two_digits((moment.hour + 11) % 12 + 1);
      break;
    case 'M':
      two_digits(moment.minute);
      break;
    case 'S':
      two_digits(moment.second);
      break;
    case 'p':
      out += moment.hour < 12 ? "AM" : "PM";
      break;
    case '%':
      out.push_back('%');
      break;
    default:
      return absl::InvalidArgumentError(
          Cat("date format \"%", std::string(1, code), "\" is not supported"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Value> FormatPercent(Arena& arena, std::string_view format,
                                    const Value& values) {
  SPECINFER_RETURN_IF_ERROR(arena.StepOver(format.size()));
  List items = values.is(ValueKind::kTuple) ? values.list() : List{values};
  std::string text;
  size_t num_used = 0;
  for (size_t offset = 0; offset < format.size();) {
    if (format[offset] != '%') {
      text.push_back(format[offset++]);
      continue;
    }
    ++offset;
    Value value;
    if (offset < format.size() && format[offset] == '(') {
      size_t end = format.find(')', offset);
      if (end == std::string_view::npos || !values.is(ValueKind::kDict)) {
        return absl::InvalidArgumentError("format with names needs a dict");
      }
      const Value* named =
          values.dict().Find(format.substr(offset + 1, end - offset - 1));
      if (named == nullptr)
        return absl::InvalidArgumentError(
            "format names a value that is not given");
      value = *named;
      offset = end + 1;
    }
    Directive directive;
    SPECINFER_RETURN_IF_ERROR(ParseDirective(format, offset, directive));
    if (directive.type == '%') {
      text.push_back('%');
      continue;
    }
    if (value.is_missing()) {
      if (num_used == items.size())
        return absl::InvalidArgumentError("format needs more values");
      value = items[num_used++];
    }
    SPECINFER_RETURN_IF_ERROR(AppendDirective(arena, value, directive, text));
    if (text.size() > kMaxOutputBytes) return arena.Charge(kMaxArenaBytes + 1);
  }
  bool may_be_unused = values.is(ValueKind::kDict) ||
                       values.is(ValueKind::kList) || values.is_undefined();
  if (num_used < items.size() && !may_be_unused)
    return absl::InvalidArgumentError("format does not use all values");
  return arena.NewString(std::move(text));
}

absl::StatusOr<std::string> FormatDate(std::string_view format,
                                       std::string_view date) {
  Moment moment = Now();
  if (!date.empty()) {
    SPECINFER_ASSIGN_OR_RETURN(moment, ParseDate(date));
  }
  if (format.size() > 1000)
    return absl::InvalidArgumentError(
        "the format of a date is longer than 1000 bytes");
  std::string text;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      text.push_back(format[i]);
      continue;
    }
    bool is_unpadded = i + 1 < format.size() && format[i + 1] == '-';
    i += is_unpadded ? 2 : 1;
    if (i >= format.size())
      return absl::InvalidArgumentError("the format of a date is incomplete");
    SPECINFER_RETURN_IF_ERROR(
        AppendDateField(format[i], is_unpadded, moment, text));
  }
  return text;
}

}  // namespace specinfer::jinja
