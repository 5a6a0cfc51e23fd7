#include "src/text/jinja_lexer.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/text/jinja_unicode.h"

namespace specinfer::jinja {
namespace {

// All line ends become \n, and one at the very end is dropped.
std::string NormalizeLines(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    bool is_return = source[i] == '\r';
    if (is_return && i + 1 < source.size() && source[i + 1] == '\n') ++i;
    text.push_back(is_return ? '\n' : source[i]);
  }
  if (text.ends_with("\n")) text.pop_back();
  return text;
}

bool IsNameByte(char c) {
  return absl::ascii_isalnum(c) || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

size_t SkipBlanks(std::string_view text, size_t offset) {
  while (offset < text.size()) {
    size_t next = offset;
    if (!IsBlank(NextCodePoint(text, next))) break;
    offset = next;
  }
  return offset;
}

bool IsAllBlank(std::string_view text) {
  return SkipBlanks(text, 0) == text.size();
}

// Digits with single underscores between them, from `offset`; returns where
// they end.
template <typename IsDigit>
size_t SkipDigits(std::string_view text, size_t offset, IsDigit is_digit) {
  while (offset < text.size()) {
    if (is_digit(text[offset])) {
      ++offset;
    } else if (text[offset] == '_' && offset + 1 < text.size() &&
               is_digit(text[offset + 1])) {
      offset += 2;
    } else {
      break;
    }
  }
  return offset;
}

bool IsDecimal(char c) { return absl::ascii_isdigit(c); }

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  absl::StatusOr<std::vector<Token>> Run() {
    while (offset_ < source_.size()) SPECINFER_RETURN_IF_ERROR(LexText());
    Emit(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const {
    return std::string_view(source_).substr(offset_);
  }
  bool At(std::string_view text) const { return rest().starts_with(text); }

  void Emit(TokenKind kind, std::string_view text) {
    Token& token = tokens_.emplace_back();
    token.kind = kind;
    token.line = line_;
    token.text = text;
  }

  void MoveTo(size_t offset) {
    line_ += static_cast<int>(
        std::count(source_.begin() + offset_, source_.begin() + offset, '\n'));
    if (offset > offset_) is_line_start_ = source_[offset - 1] == '\n';
    offset_ = offset;
  }

  absl::Status Error(std::string_view message) const {
    return TemplateError(line_, message);
  }

  // The text up to the next tag, then that tag.
  absl::Status LexText() {
    size_t tag = offset_;
    for (;; ++tag) {
      tag = source_.find('{', tag);
      if (tag == std::string::npos || tag + 1 >= source_.size()) {
        Emit(TokenKind::kText, rest());
        MoveTo(source_.size());
        return absl::OkStatus();
      }
      if (source_[tag + 1] == '{' || source_[tag + 1] == '%' ||
          source_[tag + 1] == '#')
        break;
    }
    char type = source_[tag + 1];
    char sign = tag + 2 < source_.size() &&
                        (source_[tag + 2] == '-' || source_[tag + 2] == '+')
                    ? source_[tag + 2]
                    : 0;
    EmitText(tag, sign, /*strips_line=*/type != '{');
    MoveTo(tag);
    size_t after = tag + 2 + (sign != 0);
    if (type == '#') return LexComment(after);
    if (type == '%') {
      if (size_t raw = RawBegin(after); raw != 0) return LexRaw(raw);
    }
    Emit(type == '{' ? TokenKind::kOutputBegin : TokenKind::kStatementBegin,
         source_.substr(tag, 2));
    MoveTo(after);
    return LexTag(type == '{');
  }

  // Emits the text before a tag at `tag`, stripped as the tag's sign asks.
  void EmitText(size_t tag, char sign, bool strips_line) {
    std::string_view text =
        std::string_view(source_).substr(offset_, tag - offset_);
    if (sign == '-') {
      text =
          Strip(text, /*chars=*/nullptr, /*at_begin=*/false, /*at_end=*/true);
    } else if (sign != '+' && strips_line) {
      size_t line = text.rfind('\n');
      line = line == std::string_view::npos ? 0 : line + 1;
      if ((line > 0 || is_line_start_) && IsAllBlank(text.substr(line)))
        text = text.substr(0, line);
    }
    if (!text.empty()) Emit(TokenKind::kText, text);
  }

  // If a tag's end ("%}" or "#}" with its sign) is at `offset`, returns where
  // the text after it begins; else 0.
  size_t TagEnd(size_t offset, std::string_view end) const {
    std::string_view text = std::string_view(source_).substr(offset);
    bool is_block = end != "}}";
    if (text.starts_with(Cat("-", end))) return SkipBlanks(source_, offset + 3);
    if (is_block && text.starts_with(Cat("+", end))) return offset + 3;
    if (!text.starts_with(end)) return 0;
    return offset + 2 + (is_block && text.size() > 2 && text[2] == '\n');
  }

  // Jinja2 lets a comment or raw block that begins at the very end pass.
  absl::Status LexComment(size_t offset) {
    bool is_empty = offset == source_.size();
    if (is_empty) MoveTo(offset);
    for (; offset < source_.size(); ++offset) {
      if (size_t end = TagEnd(offset, "#}"); end != 0) {
        MoveTo(end);
        return absl::OkStatus();
      }
    }
    if (is_empty) return absl::OkStatus();
    return Error("comment is not closed");
  }

  // Where the text of a raw block begins whose tag's sign ends at `offset`; 0
  // when it is another statement.
  size_t RawBegin(size_t offset) const {
    offset = SkipBlanks(source_, offset);
    if (!std::string_view(source_).substr(offset).starts_with("raw")) return 0;
    offset = SkipBlanks(source_, offset + 3);
    std::string_view text = std::string_view(source_).substr(offset);
    if (text.starts_with("-%}")) return SkipBlanks(source_, offset + 3);
    return text.starts_with("%}") ? offset + 2 : 0;
  }

  absl::Status LexRaw(size_t begin) {
    MoveTo(begin);
    for (size_t tag = source_.find("{%", begin); tag != std::string::npos;
         tag = source_.find("{%", tag + 1)) {
      char sign = tag + 2 < source_.size() ? source_[tag + 2] : 0;
      if (sign != '-' && sign != '+') sign = 0;
      size_t offset = SkipBlanks(source_, tag + 2 + (sign != 0));
      if (!std::string_view(source_).substr(offset).starts_with("endraw"))
        continue;
      size_t end = TagEnd(SkipBlanks(source_, offset + 6), "%}");
      if (end == 0) continue;
      EmitText(tag, sign, /*strips_line=*/true);
      MoveTo(end);
      return absl::OkStatus();
    }
    if (begin != source_.size()) return Error("raw block is not closed");
    return absl::OkStatus();
  }

  absl::Status LexTag(bool is_output) {
    std::string open_brackets;
    while (offset_ < source_.size()) {
      size_t end =
          open_brackets.empty() ? TagEnd(offset_, is_output ? "}}" : "%}") : 0;
      if (end != 0) {
        Emit(is_output ? TokenKind::kOutputEnd : TokenKind::kStatementEnd,
             is_output ? "}}" : "%}");
        MoveTo(end);
        return absl::OkStatus();
      }
      size_t blanks_end = SkipBlanks(source_, offset_);
      if (blanks_end != offset_) {
        MoveTo(blanks_end);
        continue;
      }
      char c = source_[offset_];
      if (IsDecimal(c)) {
        SPECINFER_RETURN_IF_ERROR(LexNumber());
      } else if (IsNameByte(c)) {
        LexName();
      } else if (c == '\'' || c == '"') {
        SPECINFER_RETURN_IF_ERROR(LexString());
      } else {
        SPECINFER_RETURN_IF_ERROR(LexOperator(open_brackets));
      }
    }
    return Error(is_output ? "\"{{\" is not closed" : "\"{%\" is not closed");
  }

  void LexName() {
    size_t end = offset_;
    while (end < source_.size() && IsNameByte(source_[end])) ++end;
    Emit(TokenKind::kName,
         std::string_view(source_).substr(offset_, end - offset_));
    MoveTo(end);
  }

  // Where a float that begins here ends; 0 when there is none.
  size_t FloatEnd() const {
    if (offset_ > 0 && source_[offset_ - 1] == '.') return 0;
    size_t end = SkipDigits(source_, offset_, IsDecimal);
    bool is_float = false;
    auto at_digit = [this](size_t i) {
      return i < source_.size() && IsDecimal(source_[i]);
    };
    if (end < source_.size() && source_[end] == '.' && at_digit(end + 1)) {
      end = SkipDigits(source_, end + 1, IsDecimal);
      is_float = true;
    }
    if (end < source_.size() && absl::ascii_tolower(source_[end]) == 'e') {
      size_t digits = end + 1;
      if (digits < source_.size() &&
          (source_[digits] == '+' || source_[digits] == '-'))
        ++digits;
      if (at_digit(digits)) {
        end = SkipDigits(source_, digits, IsDecimal);
        is_float = true;
      }
    }
    return is_float ? end : 0;
  }

  absl::Status LexNumber() {
    auto text_to = [this](size_t end) {
      std::string text = source_.substr(offset_, end - offset_);
      text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
      return text;
    };
    if (size_t end = FloatEnd(); end != 0) {
      std::string text = text_to(end);
      Emit(TokenKind::kFloat, text);
      auto [rest_of_text, error] = std::from_chars(
          text.data(), text.data() + text.size(), tokens_.back().number);
      if (error != std::errc())
        return Error(Cat("number ", text, " is out of range"));
      MoveTo(end);
      return absl::OkStatus();
    }
    int radix = 10;
    size_t begin = offset_, end = begin;
    char kind = begin + 1 < source_.size()
                    ? absl::ascii_tolower(source_[begin + 1])
                    : '\0';
    auto is_digit = [&radix](char c) {
      c = absl::ascii_tolower(c);
      int digit = IsDecimal(c)           ? c - '0'
                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                         : 99;
      return digit < radix;
    };
    if (source_[begin] == '0' && (kind == 'x' || kind == 'o' || kind == 'b')) {
      radix = kind == 'x' ? 16 : kind == 'o' ? 8 : 2;
      end = SkipDigits(source_, begin + 2, is_digit);
      if (end == begin + 2) radix = 10;
    }
    if (radix != 10) {
      offset_ = begin + 2;
    } else if (source_[begin] == '0') {
      end = SkipDigits(source_, begin, [](char c) { return c == '0'; });
    } else {
      end = SkipDigits(source_, begin, IsDecimal);
    }
    std::string text = text_to(end);
    Emit(TokenKind::kInteger, text);
    auto [rest_of_text, error] = std::from_chars(
        text.data(), text.data() + text.size(), tokens_.back().integer, radix);
    if (error != std::errc())
      return Error(Cat("number ", text, " is out of range"));
    MoveTo(end);
    return absl::OkStatus();
  }

  absl::Status LexString() {
    char quote = source_[offset_];
    size_t end = offset_ + 1;
    while (end < source_.size() && source_[end] != quote)
      end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) return Error("string is not closed");
    std::string text;
    SPECINFER_RETURN_IF_ERROR(Unescape(
        std::string_view(source_).substr(offset_ + 1, end - offset_ - 1),
        text));
    Emit(TokenKind::kString, text);
    MoveTo(end + 1);
    return absl::OkStatus();
  }

  // Python's string escapes.
  absl::Status Unescape(std::string_view raw, std::string& text) const {
    for (size_t i = 0; i < raw.size();) {
      if (raw[i] != '\\' || i + 1 >= raw.size()) {
        text.push_back(raw[i++]);
        continue;
      }
      char c = raw[i + 1];
      constexpr std::string_view kNames = "\\'\"abfnrtv";
      constexpr std::string_view kMeanings = "\\'\"\a\b\f\n\r\t\v";
      if (size_t simple = kNames.find(c); simple != std::string_view::npos) {
        text.push_back(kMeanings[simple]);
        i += 2;
      } else if (c == '\n') {
        i += 2;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        size_t num_digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        SPECINFER_RETURN_IF_ERROR(
            AppendEscape(raw.substr(i + 2, num_digits), num_digits, text));
        i += 2 + num_digits;
      } else if (c >= '0' && c <= '7') {
        uint32_t code_point = 0;
        for (i += 1; i < raw.size() && raw[i] >= '0' && raw[i] <= '7' &&
                     code_point < 64;
             ++i) {
          code_point = code_point * 8 + static_cast<uint32_t>(raw[i] - '0');
        }
        AppendCodePoint(code_point, text);
      } else if (c == 'N') {
        return Error("string escape \"\\N\" is not supported");
      } else if (static_cast<unsigned char>(c) >= 0x80) {
        // Jinja2 turns other letters into escapes before it resolves escapes,
        // so this backslash hits that one's.
        size_t offset = i + 1;
        uint32_t code_point = NextCodePoint(raw, offset);
        text +=
            (code_point < 0x100     ? absl::StrFormat("\\x%02x", code_point)
             : code_point < 0x10000 ? absl::StrFormat("\\u%04x", code_point)
                                    : absl::StrFormat("\\U%08x", code_point));
        i = offset;
      } else {
        text.push_back('\\');
        text.push_back(c);
        i += 2;
      }
    }
    return absl::OkStatus();
  }

  absl::Status AppendEscape(std::string_view digits, size_t num_digits,
                            std::string& text) const {
    uint32_t code_point = 0;
    auto [end, error] = std::from_chars(
        digits.data(), digits.data() + digits.size(), code_point, 16);
    bool is_whole = digits.size() == num_digits &&
                    end == digits.data() + digits.size() &&
                    error == std::errc();
    bool is_surrogate = code_point >= 0xD800 && code_point < 0xE000;
    if (!is_whole || is_surrogate || code_point > 0x10FFFF)
      return Error("string has an escape that is no character");
    AppendCodePoint(code_point, text);
    return absl::OkStatus();
  }

  absl::Status LexOperator(std::string& open_brackets) {
    constexpr std::string_view kLong[] = {"**", "//", "==", "!=", ">=", "<="};
    for (std::string_view name : kLong) {
      if (!At(name)) continue;
      Emit(TokenKind::kOperator, name);
      MoveTo(offset_ + name.size());
      return absl::OkStatus();
    }
    char c = source_[offset_];
    if (std::string_view("+-*/%~[](){}<>=.:|,;").find(c) ==
        std::string_view::npos) {
      return Error(
          Cat("unexpected character \"", std::string_view(&c, 1), "\""));
    }
    if (c == '(' || c == '[' || c == '{') {
      open_brackets.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
    } else if (c == ')' || c == ']' || c == '}') {
      if (open_brackets.empty() || open_brackets.back() != c) {
        return Error(Cat("unexpected \"", std::string_view(&c, 1), "\""));
      }
      open_brackets.pop_back();
    }
    Emit(TokenKind::kOperator, std::string_view(&c, 1));
    MoveTo(offset_ + 1);
    return absl::OkStatus();
  }

  const std::string source_;
  std::vector<Token> tokens_;
  size_t offset_ = 0;
  int line_ = 1;
  bool is_line_start_ = true;
};

}  // namespace

absl::Status TemplateError(int line, std::string_view message) {
  return absl::InvalidArgumentError(
      Cat("chat template line ", line, ": ", message));
}

absl::Status AtLine(const absl::Status& status, int line) {
  constexpr std::string_view kPrefix = "chat template line ";
  std::string_view message(status.message().data(), status.message().size());
  if (status.ok() || message.starts_with(kPrefix)) return status;
  return absl::Status(status.code(), Cat(kPrefix, line, ": ", message));
}

absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source) {
  return Lexer(NormalizeLines(source)).Run();
}

}  // namespace specinfer::jinja
