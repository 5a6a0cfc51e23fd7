// Values as text: Python's str and repr, and json.dumps as chat templates call
// it.
#ifndef SPECINFER_SRC_TEXT_JINJA_PRINT_H_
#define SPECINFER_SRC_TEXT_JINJA_PRINT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/text/jinja_arena.h"
#include "src/text/jinja_value.h"

namespace specinfer::jinja {

// str(value); undefined is empty.
absl::Status AppendStr(Arena& arena, const Value& value, std::string& out);
absl::Status AppendRepr(Arena& arena, const Value& value, std::string& out);
// str(value) as a view into the value or the arena.
absl::StatusOr<std::string_view> ToText(Arena& arena, const Value& value);

// repr of a float: the shortest digits that read back the same.
std::string FloatText(double number);

std::string EscapeHtml(std::string_view text);

struct JsonStyle {
  bool escapes_non_ascii = false;
  bool has_indent = false;
  bool sorts_keys = false;
  std::string indent;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
absl::Status AppendJson(Arena& arena, const Value& value,
                        const JsonStyle& style, std::string& out);

}  // namespace specinfer::jinja

#endif  // SPECINFER_SRC_TEXT_JINJA_PRINT_H_
