// JSON text as values of a template; objects keep the order of their keys.
#ifndef SPECINFER_SRC_TEXT_JINJA_JSON_H_
#define SPECINFER_SRC_TEXT_JINJA_JSON_H_

#include <string_view>

#include "absl/status/statusor.h"

#include "src/text/jinja_arena.h"
#include "src/text/jinja_value.h"

namespace specinfer::jinja {

// `what` names the input in errors.
absl::StatusOr<Value> ParseJson(Arena& arena, std::string_view what,
                                std::string_view text);

}  // namespace specinfer::jinja

#endif  // SPECINFER_SRC_TEXT_JINJA_JSON_H_
