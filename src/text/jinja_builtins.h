// What a template may call by name: filters, tests, methods and functions, with
// the meaning they have in Jinja2's immutable sandbox.
#ifndef SPECINFER_SRC_TEXT_JINJA_BUILTINS_H_
#define SPECINFER_SRC_TEXT_JINJA_BUILTINS_H_

#include <initializer_list>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/text/jinja_arena.h"
#include "src/text/jinja_value.h"

namespace specinfer::jinja {

bool HasFilter(std::string_view name);
bool HasTest(std::string_view name);
bool HasFunction(std::string_view name);
bool HasMethod(const Value& receiver, std::string_view name);
absl::Status UnsupportedFilter(std::string_view name);
absl::Status UnsupportedTest(std::string_view name);

absl::StatusOr<Value> ApplyFilter(Arena& arena, std::string_view name,
                                  const Value& operand,
                                  const Arguments& arguments);
absl::StatusOr<bool> ApplyTest(Arena& arena, std::string_view name,
                               const Value& operand,
                               const Arguments& arguments);
absl::StatusOr<Value> CallMethod(Arena& arena, const Method& method,
                                 const Arguments& arguments);
// `date` is what strftime_now tells: ISO 8601, or empty for the clock.
absl::StatusOr<Value> CallFunction(Arena& arena, std::string_view name,
                                   const Arguments& arguments,
                                   std::string_view date);

// Puts arguments in the order of `names`; those not given are missing. An error
// for too many, unknown or repeated ones, and when one of the first
// `num_required` is missing.
absl::StatusOr<List> Bind(const Arguments& arguments,
                          std::initializer_list<std::string_view> names,
                          size_t num_required = 0);

// The argument, or what stands for it when it is missing.
absl::StatusOr<int64_t> IntegerOr(const Value& argument, int64_t otherwise);
bool TrueOr(const Value& argument, bool otherwise);

// Filters of sequences (jinja_sequence_filters.cc); a null answer means there
// is none of that name.
using FilterFunction = absl::StatusOr<Value> (*)(Arena& arena,
                                                 const Value& operand,
                                                 const Arguments& arguments);
FilterFunction FindSequenceFilter(std::string_view name);

// Methods of strings (jinja_string_methods.cc).
bool HasStringMethod(std::string_view name);
absl::StatusOr<Value> CallStringMethod(Arena& arena, const Value& receiver,
                                       std::string_view name,
                                       const Arguments& arguments);

// Python's printf-style formatting: % and the filter "format".
absl::StatusOr<Value> FormatPercent(Arena& arena, std::string_view format,
                                    const Value& values);

// strftime of an ISO 8601 date, or of the clock (in UTC) when `date` is empty.
absl::StatusOr<std::string> FormatDate(std::string_view format,
                                       std::string_view date);

}  // namespace specinfer::jinja

#endif  // SPECINFER_SRC_TEXT_JINJA_BUILTINS_H_
