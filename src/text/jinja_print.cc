#include "src/text/jinja_print.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "absl/strings/str_format.h"

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/text/jinja_unicode.h"

namespace specinfer::jinja {
namespace {

absl::Status CheckBytes(const std::string& out) {
  if (out.size() <= kMaxOutputBytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      Cat("text is longer than ", kMaxOutputBytes >> 20, " MiB"));
}

void AppendStringRepr(std::string_view text, std::string& out) {
  bool has_single = text.find('\'') != std::string_view::npos;
  char quote =
      has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
  out.push_back(quote);
  for (size_t offset = 0; offset < text.size();) {
    size_t begin = offset;
    uint32_t c = NextCodePoint(text, offset);
    if (c == '\\' || c == static_cast<uint32_t>(quote)) {
      out.push_back('\\');
      out.push_back(static_cast<char>(c));
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (IsPrintable(c)) {
      out += text.substr(begin, offset - begin);
    } else if (c < 0x100) {
      absl::StrAppendFormat(&out, "\\x%02x", c);
    } else if (c < 0x10000) {
      absl::StrAppendFormat(&out, "\\u%04x", c);
    } else {
      absl::StrAppendFormat(&out, "\\U%08x", c);
    }
  }
  out.push_back(quote);
}

absl::Status AppendItems(Arena& arena, const List& items, std::string& out) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    SPECINFER_RETURN_IF_ERROR(AppendRepr(arena, items[i], out));
  }
  return absl::OkStatus();
}

absl::Status AppendDictRepr(Arena& arena, const Dict& dict, std::string& out) {
  out.push_back('{');
  bool is_first = true;
  for (const auto& [key, value] : dict.entries) {
    if (!is_first) out += ", ";
    is_first = false;
    SPECINFER_RETURN_IF_ERROR(AppendRepr(arena, key, out));
    out += ": ";
    SPECINFER_RETURN_IF_ERROR(AppendRepr(arena, value, out));
  }
  out.push_back('}');
  return absl::OkStatus();
}

void AppendJsonString(std::string_view text, bool escapes_non_ascii,
                      std::string& out) {
  out.push_back('"');
  for (size_t offset = 0; offset < text.size();) {
    size_t begin = offset;
    uint32_t c = NextCodePoint(text, offset);
    constexpr std::string_view kSpecial = "\"\\\n\r\t\f\b";
    constexpr std::string_view kNames = "\"\\nrtfb";
    size_t special =
        c < 0x80 ? kSpecial.find(static_cast<char>(c)) : std::string_view::npos;
    if (special != std::string_view::npos) {
      out.push_back('\\');
      out.push_back(kNames[special]);
    } else if (c < 0x20) {
      absl::StrAppendFormat(&out, "\\u%04x", c);
    } else if (!escapes_non_ascii || c < 0x7F) {
      out += text.substr(begin, offset - begin);
    } else if (c < 0x80) {
      out.push_back(static_cast<char>(c));
    } else if (c < 0x10000) {
      absl::StrAppendFormat(&out, "\\u%04x", c);
    } else {
      absl::StrAppendFormat(&out, "\\u%04x\\u%04x",
                            0xD800 + ((c - 0x10000) >> 10),
                            0xDC00 + ((c - 0x10000) & 0x3FF));
    }
  }
  out.push_back('"');
}

std::string JsonNumber(const Value& value) {
  if (value.is_integer()) return Cat(value.integer());
  double number = value.number();
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  return FloatText(number);
}

class JsonPrinter {
 public:
  JsonPrinter(Arena& arena, const JsonStyle& style, std::string& out)
      : arena_(arena), style_(style), out_(out) {}

  absl::Status Print(const Value& value) {
    SPECINFER_RETURN_IF_ERROR(arena_.Step());
    SPECINFER_RETURN_IF_ERROR(CheckBytes(out_));
    DepthGuard guard(arena_);
    if (!guard.ok()) return guard.status();
    switch (value.kind()) {
      case ValueKind::kNone:
        out_ += "null";
        return absl::OkStatus();
      case ValueKind::kBool:
        out_ += value.integer() != 0 ? "true" : "false";
        return absl::OkStatus();
      case ValueKind::kInteger:
      case ValueKind::kFloat:
        out_ += JsonNumber(value);
        return absl::OkStatus();
      case ValueKind::kString:
        AppendJsonString(value.text(), style_.escapes_non_ascii, out_);
        return absl::OkStatus();
      case ValueKind::kList:
      case ValueKind::kTuple:
        return PrintList(value.list());
      case ValueKind::kDict:
        return PrintDict(value.dict());
      default:
        return absl::InvalidArgumentError(
            Cat(TypeName(value), " cannot be written as JSON"));
    }
  }

 private:
  void NewLine() {
    if (!style_.has_indent) return;
    out_.push_back('\n');
    for (int i = 0; i < level_; ++i) out_ += style_.indent;
  }

  absl::Status PrintList(const List& items) {
    out_.push_back('[');
    ++level_;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      NewLine();
      SPECINFER_RETURN_IF_ERROR(Print(items[i]));
    }
    --level_;
    if (!items.empty()) NewLine();
    out_.push_back(']');
    return absl::OkStatus();
  }

  absl::Status PrintKey(const Value& key) {
    if (key.is_string()) {
      AppendJsonString(key.text(), style_.escapes_non_ascii, out_);
    } else if (key.is_none() || key.is(ValueKind::kBool)) {
      out_ += Cat("\"",
                  key.is_none()        ? "null"
                  : key.integer() != 0 ? "true"
                                       : "false",
                  "\"");
    } else if (key.is_number()) {
      out_ += Cat("\"", JsonNumber(key), "\"");
    } else {
      return absl::InvalidArgumentError(
          Cat(TypeName(key), " cannot be a key in JSON"));
    }
    return absl::OkStatus();
  }

  absl::Status PrintDict(const Dict& dict) {
    List keys, values;
    for (const auto& [key, value] : dict.entries) {
      keys.push_back(key);
      values.push_back(value);
    }
    if (style_.sorts_keys) {
      SPECINFER_ASSIGN_OR_RETURN(
          values, SortByKeys(arena_, values, keys, /*is_reversed=*/false));
      SPECINFER_ASSIGN_OR_RETURN(
          keys, SortByKeys(arena_, keys, keys, /*is_reversed=*/false));
    }
    out_.push_back('{');
    ++level_;
    for (size_t i = 0; i < keys.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      NewLine();
      SPECINFER_RETURN_IF_ERROR(PrintKey(keys[i]));
      out_ += style_.key_separator;
      SPECINFER_RETURN_IF_ERROR(Print(values[i]));
    }
    --level_;
    if (!keys.empty()) NewLine();
    out_.push_back('}');
    return absl::OkStatus();
  }

  Arena& arena_;
  const JsonStyle& style_;
  std::string& out_;
  int level_ = 0;
};

}  // namespace

std::string FloatText(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  char buffer[32];
  char* end = std::to_chars(buffer, buffer + sizeof(buffer), number,
                            std::chars_format::scientific)
                  .ptr;
  std::string_view text(buffer, static_cast<size_t>(end - buffer));
  size_t digits = text.find('e') + 2;
  int exponent = 0;
  std::from_chars(buffer + digits, end, exponent);
  if (text[digits - 1] == '-') exponent = -exponent;
  if (exponent >= -4 && exponent < 16) {
    char fixed[64];
    char* fixed_end = std::to_chars(fixed, fixed + sizeof(fixed), number,
                                    std::chars_format::fixed)
                          .ptr;
    std::string plain(fixed, fixed_end);
    return plain.find('.') == std::string::npos ? plain + ".0" : plain;
  }
  return std::string(text);
}

absl::Status AppendRepr(Arena& arena, const Value& value, std::string& out) {
  SPECINFER_RETURN_IF_ERROR(arena.Step());
  SPECINFER_RETURN_IF_ERROR(CheckBytes(out));
  DepthGuard guard(arena);
  if (!guard.ok()) return guard.status();
  switch (value.kind()) {
    case ValueKind::kUndefined:
      out += "Undefined";
      return absl::OkStatus();
    case ValueKind::kNone:
      out += "None";
      return absl::OkStatus();
    case ValueKind::kBool:
      out += value.integer() != 0 ? "True" : "False";
      return absl::OkStatus();
    case ValueKind::kInteger:
      out += Cat(value.integer());
      return absl::OkStatus();
    case ValueKind::kFloat:
      out += FloatText(value.number());
      return absl::OkStatus();
    case ValueKind::kString:
      if (value.is_markup()) out += "Markup(";
      AppendStringRepr(value.text(), out);
      if (value.is_markup()) out += ")";
      return absl::OkStatus();
    case ValueKind::kList:
      out.push_back('[');
      SPECINFER_RETURN_IF_ERROR(AppendItems(arena, value.list(), out));
      out.push_back(']');
      return absl::OkStatus();
    case ValueKind::kTuple:
      out.push_back('(');
      SPECINFER_RETURN_IF_ERROR(AppendItems(arena, value.list(), out));
      out += value.list().size() == 1 ? ",)" : ")";
      return absl::OkStatus();
    case ValueKind::kDict:
      return AppendDictRepr(arena, value.dict(), out);
    case ValueKind::kNamespace:
      out += "<Namespace ";
      SPECINFER_RETURN_IF_ERROR(AppendDictRepr(arena, value.dict(), out));
      out.push_back('>');
      return absl::OkStatus();
    default:
      return absl::InvalidArgumentError(
          Cat(TypeName(value), " has no text to print"));
  }
}

absl::Status AppendStr(Arena& arena, const Value& value, std::string& out) {
  if (value.is_undefined()) return absl::OkStatus();
  if (!value.is_string()) return AppendRepr(arena, value, out);
  SPECINFER_RETURN_IF_ERROR(arena.StepOver(value.text().size()));
  out += value.text();
  return CheckBytes(out);
}

absl::StatusOr<std::string_view> ToText(Arena& arena, const Value& value) {
  if (value.is_string()) return value.text();
  std::string text;
  SPECINFER_RETURN_IF_ERROR(AppendStr(arena, value, text));
  SPECINFER_ASSIGN_OR_RETURN(Value owned, arena.NewString(std::move(text)));
  return owned.text();
}

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  for (char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      case '"':
        escaped += "&#34;";
        break;
      default:
        escaped.push_back(c);
    }
  }
  return escaped;
}

absl::Status AppendJson(Arena& arena, const Value& value,
                        const JsonStyle& style, std::string& out) {
  return JsonPrinter(arena, style, out).Print(value);
}

}  // namespace specinfer::jinja
