// Splits a template into text and tokens the way Jinja2 does with trim_blocks
// and lstrip_blocks on: all of the white space control happens here.
#ifndef SPECINFER_SRC_TEXT_JINJA_LEXER_H_
#define SPECINFER_SRC_TEXT_JINJA_LEXER_H_

#include <stdint.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace specinfer::jinja {

enum class TokenKind : uint8_t {
  kText,
  kOutputBegin,
  kOutputEnd,
  kStatementBegin,
  kStatementEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  int line = 1;
  std::string text;  // of strings: without quotes, escapes resolved
  int64_t integer = 0;
  double number = 0;
};

// An error of the template with its place.
absl::Status TemplateError(int line, std::string_view message);
// Adds the place to an error that has none.
absl::Status AtLine(const absl::Status& status, int line);

// REQUIRES: `source` is valid UTF-8. The last token is kEnd.
absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source);

}  // namespace specinfer::jinja

#endif  // SPECINFER_SRC_TEXT_JINJA_LEXER_H_
