#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/text/jinja_builtins.h"
#include "src/text/jinja_operators.h"
#include "src/text/jinja_print.h"
#include "src/text/jinja_unicode.h"

namespace specinfer::jinja {
namespace {

using ValueOr = absl::StatusOr<Value>;

// Text of the operand as a value of its own, so that markup stays markup.
ValueOr Soft(Arena& arena, const Value& value) {
  if (value.is_string()) return value;
  SPECINFER_ASSIGN_OR_RETURN(std::string_view text, ToText(arena, value));
  return Value::String(text);
}

ValueOr WithMarkOf(const Value& original, ValueOr text) {
  if (text.ok() && original.is_markup()) return text->AsMarkup();
  return text;
}

// Filters that are also methods of strings, on anything that has text.
template <const char* kMethod>
ValueOr FilterByMethod(Arena& arena, const Value& operand,
                       const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(Value text, Soft(arena, operand));
  return WithMarkOf(text, CallStringMethod(arena, text, kMethod, arguments));
}
constexpr char kUpper[] = "upper", kLower[] = "lower",
               kCapitalize[] = "capitalize";

ValueOr FilterTrim(Arena& arena, const Value& operand,
                   const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound, Bind(arguments, {"chars"}));
  Arguments positional;
  if (!bound[0].is_missing()) positional.positional.push_back(bound[0]);
  SPECINFER_ASSIGN_OR_RETURN(Value text, Soft(arena, operand));
  return WithMarkOf(text, CallStringMethod(arena, text, "strip", positional));
}

ValueOr FilterReplace(Arena& arena, const Value& operand,
                      const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound,
                             Bind(arguments, {"old", "new", "count"}, 2));
  Arguments positional;
  for (int i = 0; i < 2; ++i) {
    SPECINFER_ASSIGN_OR_RETURN(Value part, Soft(arena, bound[i]));
    positional.positional.push_back(part);
  }
  if (!bound[2].is_missing() && !bound[2].is_none())
    positional.positional.push_back(bound[2]);
  SPECINFER_ASSIGN_OR_RETURN(Value text, Soft(arena, operand));
  return CallStringMethod(arena, text, "replace", positional);
}

// Unlike str.title, words begin only after blanks, hyphens and opening
// brackets.
ValueOr FilterTitle(Arena& arena, const Value& operand,
                    const Arguments& arguments) {
  SPECINFER_RETURN_IF_ERROR(Bind(arguments, {}).status());
  SPECINFER_ASSIGN_OR_RETURN(std::string_view text, ToText(arena, operand));
  SPECINFER_RETURN_IF_ERROR(arena.StepOver(text.size()));
  std::string title;
  bool begins_word = true;
  for (size_t offset = 0; offset < text.size();) {
    uint32_t c = NextCodePoint(text, offset);
    bool is_break =
        IsBlank(c) ||
        (c < 0x80 && std::string_view("-({[<").find(static_cast<char>(c)) !=
                         std::string_view::npos);
    AppendCodePoint(begins_word ? ToUpper(c) : ToLower(c), title);
    begins_word = is_break;
  }
  return WithMarkOf(operand, arena.NewString(std::move(title)));
}

ValueOr FilterString(Arena& arena, const Value& operand,
                     const Arguments& arguments) {
  SPECINFER_RETURN_IF_ERROR(Bind(arguments, {}).status());
  return Soft(arena, operand);
}

ValueOr FilterSafe(Arena& arena, const Value& operand,
                   const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(Value text,
                             FilterString(arena, operand, arguments));
  return text.AsMarkup();
}

ValueOr FilterEscape(Arena& arena, const Value& operand,
                     const Arguments& arguments) {
  SPECINFER_RETURN_IF_ERROR(Bind(arguments, {}).status());
  if (operand.is_markup()) return operand;
  SPECINFER_ASSIGN_OR_RETURN(std::string_view text, ToText(arena, operand));
  SPECINFER_RETURN_IF_ERROR(arena.StepOver(text.size()));
  SPECINFER_ASSIGN_OR_RETURN(Value escaped, arena.NewString(EscapeHtml(text)));
  return escaped.AsMarkup();
}

ValueOr FilterDefault(Arena&, const Value& operand,
                      const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound,
                             Bind(arguments, {"default_value", "boolean"}));
  bool is_replaced =
      operand.is_undefined() || (TrueOr(bound[1], false) && !IsTrue(operand));
  if (!is_replaced) return operand;
  return bound[0].is_missing() ? Value::String("") : bound[0];
}

ValueOr FilterToJson(Arena& arena, const Value& operand,
                     const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(
      List bound,
      Bind(arguments, {"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonStyle style;
  style.escapes_non_ascii = TrueOr(bound[0], false);
  style.sorts_keys = TrueOr(bound[3], false);
  if (bound[1].is_string()) {
    style.has_indent = true;
    style.indent = bound[1].text();
  } else if (!bound[1].is_missing() && !bound[1].is_none()) {
    SPECINFER_ASSIGN_OR_RETURN(int64_t width, IntegerOr(bound[1], 0));
    if (width > 1000)
      return absl::InvalidArgumentError(
          "an indent of more than 1000 blanks is not supported");
    style.has_indent = true;
    style.indent.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
  }
  if (style.has_indent) style.item_separator = ",";
  if (bound[2].is_list()) {
    const List& separators = bound[2].list();
    if (separators.size() != 2 || !separators[0].is_string() ||
        !separators[1].is_string()) {
      return absl::InvalidArgumentError("separators must be two strings");
    }
    style.item_separator = separators[0].text();
    style.key_separator = separators[1].text();
  }
  std::string json;
  SPECINFER_RETURN_IF_ERROR(AppendJson(arena, operand, style, json));
  return arena.NewString(std::move(json));
}

std::string WithoutUnderscores(std::string_view text) {
  std::string plain(
      Strip(text, /*chars=*/nullptr, /*at_begin=*/true, /*at_end=*/true));
  for (size_t i = 1; i + 1 < plain.size(); ++i) {
    if (plain[i] == '_' && absl::ascii_isdigit(plain[i - 1]) &&
        absl::ascii_isdigit(plain[i + 1]))
      plain.erase(i, 1);
  }
  if (plain.starts_with("+") && plain.size() > 1 && plain[1] != '-')
    plain.erase(0, 1);
  return plain;
}

// Python's float(text); false when it would raise.
bool ParseFloat(std::string_view text, double& number) {
  std::string plain = Lower(WithoutUnderscores(text));
  if (plain.empty() || plain.find("0x") != std::string::npos ||
      plain.find('(') != std::string::npos)
    return false;
  auto [end, error] =
      std::from_chars(plain.data(), plain.data() + plain.size(), number);
  if (error == std::errc::result_out_of_range)
    return absl::SimpleAtod(plain, &number);
  return error == std::errc() && end == plain.data() + plain.size();
}

ValueOr FilterInt(Arena&, const Value& operand, const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound, Bind(arguments, {"default", "base"}));
  Value otherwise = bound[0].is_missing() ? Value::Integer(0) : bound[0];
  SPECINFER_ASSIGN_OR_RETURN(int64_t radix, IntegerOr(bound[1], 10));
  if (radix < 2 || radix > 36)
    return absl::InvalidArgumentError(
        "the base of an integer must be between 2 and 36");
  if (operand.is_undefined()) return UndefinedError(operand);
  if (operand.is_integer()) return Value::Integer(operand.integer());
  double number = 0;
  if (operand.is_string()) {
    std::string plain = WithoutUnderscores(operand.text());
    if (radix == 16 && Lower(plain).starts_with("0x")) plain.erase(0, 2);
    if (radix == 8 && Lower(plain).starts_with("0o")) plain.erase(0, 2);
    if (radix == 2 && Lower(plain).starts_with("0b")) plain.erase(0, 2);
    int64_t integer = 0;
    auto [end, error] =
        std::from_chars(plain.data(), plain.data() + plain.size(), integer,
                        static_cast<int>(radix));
    if (error == std::errc() && end == plain.data() + plain.size())
      return Value::Integer(integer);
    if (!ParseFloat(operand.text(), number)) return otherwise;
  } else if (operand.is(ValueKind::kFloat)) {
    number = operand.number();
  } else {
    return otherwise;
  }
  if (std::isnan(number) || std::isinf(number)) return otherwise;
  if (std::abs(number) >= 9.2e18)
    return absl::OutOfRangeError("an integer does not fit into 64 bits");
  return Value::Integer(static_cast<int64_t>(number));
}

ValueOr FilterFloat(Arena&, const Value& operand, const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound, Bind(arguments, {"default"}));
  if (operand.is_undefined()) return UndefinedError(operand);
  if (operand.is_number()) return Value::Float(operand.number());
  double number = 0;
  if (operand.is_string() && ParseFloat(operand.text(), number))
    return Value::Float(number);
  return bound[0].is_missing() ? Value::Float(0) : bound[0];
}

ValueOr FilterAbs(Arena&, const Value& operand, const Arguments& arguments) {
  SPECINFER_RETURN_IF_ERROR(Bind(arguments, {}).status());
  if (operand.is_undefined()) return UndefinedError(operand);
  if (operand.is(ValueKind::kFloat))
    return Value::Float(std::abs(operand.number()));
  if (!operand.is_integer())
    return absl::InvalidArgumentError(
        Cat(TypeName(operand), " has no absolute value"));
  return operand.integer() < 0 ? Negate(operand)
                               : Value::Integer(operand.integer());
}

// Correctly rounded to a number of decimals, ties by the number's exact binary
// value.
double RoundDecimals(double number, int64_t precision) {
  if (!std::isfinite(number) || precision > 300) return number;
  if (precision >= 0) {
    double rounded = number;
    if (!absl::SimpleAtod(
            absl::StrFormat("%.*f", static_cast<int>(precision), number),
            &rounded))
      return number;
    return rounded;
  }
  double unit =
      std::pow(10.0, static_cast<double>(std::min<int64_t>(-precision, 308)));
  return std::nearbyint(number / unit) * unit;
}

ValueOr FilterRound(Arena&, const Value& operand, const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound,
                             Bind(arguments, {"precision", "method"}));
  SPECINFER_ASSIGN_OR_RETURN(int64_t precision, IntegerOr(bound[0], 0));
  if (operand.is_undefined()) return UndefinedError(operand);
  if (!operand.is_number())
    return absl::InvalidArgumentError(
        Cat(TypeName(operand), " cannot be rounded"));
  std::string_view method = bound[1].is_missing() || !bound[1].is_string()
                                ? "common"
                                : bound[1].text();
  if (method == "common") {
    if (operand.is_integer() && precision >= 0)
      return Value::Integer(operand.integer());
    double rounded = RoundDecimals(operand.number(), precision);
    return operand.is_integer() ? Value::Integer(static_cast<int64_t>(rounded))
                                : Value::Float(rounded);
  }
  if (method != "ceil" && method != "floor")
    return absl::InvalidArgumentError("round knows common, ceil and floor");
  double unit = std::pow(10.0, static_cast<double>(precision));
  double scaled = operand.number() * unit;
  return Value::Float(
      (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / unit);
}

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t offset = 0; offset < text.size();) {
    size_t end = offset;
    uint32_t c = NextCodePoint(text, offset);
    bool is_break = (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) ||
                    c == 0x85 || c == 0x2028 || c == 0x2029;
    if (!is_break) continue;
    if (c == '\r' && offset < text.size() && text[offset] == '\n') ++offset;
    lines.push_back(text.substr(begin, end - begin));
    begin = offset;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

ValueOr FilterIndent(Arena& arena, const Value& operand,
                     const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound,
                             Bind(arguments, {"width", "first", "blank"}));
  std::string indent;
  if (bound[0].is_string()) {
    indent = bound[0].text();
  } else {
    SPECINFER_ASSIGN_OR_RETURN(int64_t width, IntegerOr(bound[0], 4));
    if (width > 1000)
      return absl::InvalidArgumentError(
          "an indent of more than 1000 blanks is not supported");
    indent.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
  }
  if (!operand.is_string())
    return absl::InvalidArgumentError(
        Cat("indent needs a str, not ", TypeName(operand)));
  std::string_view text = operand.text();
  bool indents_blank = TrueOr(bound[2], false);
  std::string with_end = Cat(text, "\n");  // so that an empty last line counts
  std::vector<std::string_view> lines = SplitLines(with_end);
  SPECINFER_RETURN_IF_ERROR(
      arena.Charge(text.size() + lines.size() * (indent.size() + 1)));
  SPECINFER_RETURN_IF_ERROR(
      arena.Step(static_cast<int64_t>(text.size() / 8 + lines.size())));
  std::string indented;
  if (TrueOr(bound[1], false)) indented = indent;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) indented.push_back('\n');
    if (i > 0 && (indents_blank || !lines[i].empty())) indented += indent;
    indented += lines[i];
  }
  return WithMarkOf(operand, arena.NewString(std::move(indented)));
}

ValueOr FilterFormat(Arena& arena, const Value& operand,
                     const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(std::string_view format, ToText(arena, operand));
  if (!arguments.named.empty()) {
    if (!arguments.positional.empty())
      return absl::InvalidArgumentError(
          "format takes values or names, not both");
    SPECINFER_ASSIGN_OR_RETURN(Dict * dict, arena.NewDict());
    for (const auto& [name, value] : arguments.named) {
      SPECINFER_RETURN_IF_ERROR(
          SetKey(arena, *dict, Value::String(name), value));
    }
    return FormatPercent(arena, format, Value::Handle(ValueKind::kDict, dict));
  }
  SPECINFER_ASSIGN_OR_RETURN(
      Value values, arena.NewList(arguments.positional, ValueKind::kTuple));
  return FormatPercent(arena, format, values);
}

ValueOr FilterLength(Arena& arena, const Value& operand,
                     const Arguments& arguments) {
  SPECINFER_RETURN_IF_ERROR(Bind(arguments, {}).status());
  size_t length = 0;
  if (operand.is_string()) {
    SPECINFER_RETURN_IF_ERROR(arena.StepOver(operand.text().size()));
    length = CountCodePoints(operand.text());
  } else if (operand.is_list()) {
    length = operand.list().size();
  } else if (operand.is(ValueKind::kDict)) {
    length = operand.dict().entries.size();
  } else if (operand.is(ValueKind::kLoop)) {
    length = operand.loop().items->size();
  } else if (!operand.is_undefined()) {
    return absl::InvalidArgumentError(Cat(TypeName(operand), " has no length"));
  }
  return Value::Integer(static_cast<int64_t>(length));
}

constexpr std::pair<std::string_view, FilterFunction> kFilters[] = {
    {"abs", FilterAbs},
    {"capitalize", FilterByMethod<kCapitalize>},
    {"count", FilterLength},
    {"d", FilterDefault},
    {"default", FilterDefault},
    {"e", FilterEscape},
    {"escape", FilterEscape},
    {"float", FilterFloat},
    {"format", FilterFormat},
    {"indent", FilterIndent},
    {"int", FilterInt},
    {"length", FilterLength},
    {"lower", FilterByMethod<kLower>},
    {"replace", FilterReplace},
    {"round", FilterRound},
    {"safe", FilterSafe},
    {"string", FilterString},
    {"title", FilterTitle},
    {"tojson", FilterToJson},
    {"trim", FilterTrim},
    {"upper", FilterByMethod<kUpper>},
};

FilterFunction FindFilter(std::string_view name) {
  for (const auto& [known, filter] : kFilters) {
    if (known == name) return filter;
  }
  return FindSequenceFilter(name);
}

}  // namespace

bool HasFilter(std::string_view name) { return FindFilter(name) != nullptr; }

absl::Status UnsupportedFilter(std::string_view name) {
  return absl::InvalidArgumentError(
      Cat("filter \"", name, "\" is not supported"));
}

absl::StatusOr<Value> ApplyFilter(Arena& arena, std::string_view name,
                                  const Value& operand,
                                  const Arguments& arguments) {
  FilterFunction filter = FindFilter(name);
  if (filter == nullptr) return UnsupportedFilter(name);
  return filter(arena, operand, arguments);
}

}  // namespace specinfer::jinja
