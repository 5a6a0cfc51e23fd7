// Operators on values with Python's meaning, and the two ways into a value: by
// attribute and by subscript.
#ifndef SPECINFER_SRC_TEXT_JINJA_OPERATORS_H_
#define SPECINFER_SRC_TEXT_JINJA_OPERATORS_H_

#include <string_view>

#include "absl/status/statusor.h"

#include "src/text/jinja_arena.h"
#include "src/text/jinja_value.h"

namespace specinfer::jinja {

// `name` is one of + - * / // % **.
absl::StatusOr<Value> Calculate(Arena& arena, std::string_view name,
                                const Value& left, const Value& right);
absl::StatusOr<Value> Negate(const Value& operand);

// item in container.
absl::StatusOr<bool> Contains(Arena& arena, const Value& container,
                              const Value& item);

// object.name and object[key]: undefined when it is not there, an error when
// the object itself is undefined.
absl::StatusOr<Value> GetAttribute(Arena& arena, const Value& object,
                                   std::string_view name);
absl::StatusOr<Value> GetItem(Arena& arena, const Value& object,
                              const Value& key);

// object[start:stop:step]; none or missing stands for a bound left out.
absl::StatusOr<Value> GetSlice(Arena& arena, const Value& object,
                               const Value& start, const Value& stop,
                               const Value& step);

absl::Status UndefinedError(const Value& value);

}  // namespace specinfer::jinja

#endif  // SPECINFER_SRC_TEXT_JINJA_OPERATORS_H_
