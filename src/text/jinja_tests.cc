// The tests behind "is", and what binds arguments for everything that is called
// by name.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/text/jinja_builtins.h"
#include "src/text/jinja_operators.h"
#include "src/text/jinja_print.h"
#include "src/text/jinja_unicode.h"

namespace specinfer::jinja {
namespace {

enum class Test : uint8_t {
  kBoolean,
  kCallable,
  kDefined,
  kDivisibleBy,
  kEqual,
  kEscaped,
  kEven,
  kFalse,
  kFilter,
  kFloat,
  kGreater,
  kGreaterEqual,
  kIn,
  kInteger,
  kIterable,
  kLess,
  kLessEqual,
  kLower,
  kMapping,
  kNone,
  kNotEqual,
  kNumber,
  kOdd,
  kSameAs,
  kSequence,
  kString,
  kTest,
  kTrue,
  kUndefined,
  kUpper,
};

constexpr std::pair<std::string_view, Test> kTests[] = {
    {"!=", Test::kNotEqual},
    {"<", Test::kLess},
    {"<=", Test::kLessEqual},
    {"==", Test::kEqual},
    {">", Test::kGreater},
    {">=", Test::kGreaterEqual},
    {"boolean", Test::kBoolean},
    {"callable", Test::kCallable},
    {"defined", Test::kDefined},
    {"divisibleby", Test::kDivisibleBy},
    {"eq", Test::kEqual},
    {"equalto", Test::kEqual},
    {"escaped", Test::kEscaped},
    {"even", Test::kEven},
    {"false", Test::kFalse},
    {"filter", Test::kFilter},
    {"float", Test::kFloat},
    {"ge", Test::kGreaterEqual},
    {"greaterthan", Test::kGreater},
    {"gt", Test::kGreater},
    {"in", Test::kIn},
    {"integer", Test::kInteger},
    {"iterable", Test::kIterable},
    {"le", Test::kLessEqual},
    {"lessthan", Test::kLess},
    {"lower", Test::kLower},
    {"lt", Test::kLess},
    {"mapping", Test::kMapping},
    {"ne", Test::kNotEqual},
    {"none", Test::kNone},
    {"number", Test::kNumber},
    {"odd", Test::kOdd},
    {"sameas", Test::kSameAs},
    {"sequence", Test::kSequence},
    {"string", Test::kString},
    {"test", Test::kTest},
    {"true", Test::kTrue},
    {"undefined", Test::kUndefined},
    {"upper", Test::kUpper},
};

const Test* FindTest(std::string_view name) {
  for (const auto& [known, test] : kTests) {
    if (known == name) return &test;
  }
  return nullptr;
}

bool IsBoolean(const Value& value, bool wanted) {
  return value.is(ValueKind::kBool) && (value.integer() != 0) == wanted;
}

absl::StatusOr<bool> IsCased(Arena& arena, const Value& operand,
                             bool is_upper) {
  SPECINFER_ASSIGN_OR_RETURN(std::string_view text, ToText(arena, operand));
  SPECINFER_RETURN_IF_ERROR(arena.Step(static_cast<int64_t>(text.size() / 8)));
  std::string upper = Upper(text), lower = Lower(text);
  return upper != lower && text == (is_upper ? upper : lower);
}

absl::StatusOr<bool> HasRemainder(Arena& arena, const Value& operand,
                                  const Value& divisor, int64_t wanted) {
  SPECINFER_ASSIGN_OR_RETURN(Value remainder,
                             Calculate(arena, "%", operand, divisor));
  return Equal(arena, remainder, Value::Integer(wanted));
}

absl::StatusOr<bool> IsSame(Arena& arena, const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  bool is_object = a.is_list() || a.is(ValueKind::kDict);
  return is_object ? a.object() == b.object() : Equal(arena, a, b);
}

absl::StatusOr<bool> Not(absl::StatusOr<bool> value) {
  if (!value.ok()) return value;
  return !*value;
}

// Tests that compare with an argument.
absl::StatusOr<bool> ApplyComparison(Arena& arena, Test test,
                                     const Value& operand, const Value& other) {
  bool is_order = test == Test::kLess || test == Test::kLessEqual ||
                  test == Test::kGreater || test == Test::kGreaterEqual;
  if (is_order && operand.is_undefined()) return UndefinedError(operand);
  if (is_order && other.is_undefined()) return UndefinedError(other);
  switch (test) {
    case Test::kNotEqual:
      return Not(Equal(arena, operand, other));
    case Test::kLess:
      return Less(arena, operand, other);
    case Test::kGreater:
      return Less(arena, other, operand);
    case Test::kLessEqual:
      return Not(Less(arena, other, operand));
    case Test::kGreaterEqual:
      return Not(Less(arena, operand, other));
    case Test::kIn:
      return Contains(arena, other, operand);
    case Test::kSameAs:
      return IsSame(arena, operand, other);
    case Test::kDivisibleBy:
      return HasRemainder(arena, operand, other, 0);
    default:
      return Equal(arena, operand, other);
  }
}

absl::StatusOr<bool> ApplyPlain(Arena& arena, Test test, const Value& operand) {
  ValueKind kind = operand.kind();
  bool is_sized = operand.is_string() || operand.is_list() ||
                  kind == ValueKind::kDict || operand.is_undefined();
  switch (test) {
    case Test::kBoolean:
      return kind == ValueKind::kBool;
    case Test::kCallable:
      return kind >= ValueKind::kMacro || operand.is_undefined();
    case Test::kDefined:
      return !operand.is_undefined();
    case Test::kEscaped:
      return operand.is_markup();
    case Test::kEven:
      return HasRemainder(arena, operand, Value::Integer(2), 0);
    case Test::kOdd:
      return HasRemainder(arena, operand, Value::Integer(2), 1);
    case Test::kTrue:
    case Test::kFalse:
      return IsBoolean(operand, test == Test::kTrue);
    case Test::kFilter:
      return operand.is_string() && HasFilter(operand.text());
    case Test::kTest:
      return operand.is_string() && HasTest(operand.text());
    case Test::kFloat:
      return kind == ValueKind::kFloat;
    case Test::kInteger:
      return kind == ValueKind::kInteger;
    case Test::kNumber:
      return operand.is_number();
    case Test::kIterable:
      return is_sized || kind == ValueKind::kIterator ||
             kind == ValueKind::kLoop;
    case Test::kSequence:
      return is_sized;
    case Test::kLower:
    case Test::kUpper:
      return IsCased(arena, operand, test == Test::kUpper);
    case Test::kMapping:
      return kind == ValueKind::kDict;
    case Test::kNone:
      return operand.is_none();
    case Test::kString:
      return operand.is_string();
    default:
      return operand.is_undefined();
  }
}

bool TakesArgument(Test test) {
  switch (test) {
    case Test::kDivisibleBy:
    case Test::kEqual:
    case Test::kGreater:
    case Test::kGreaterEqual:
    case Test::kIn:
    case Test::kLess:
    case Test::kLessEqual:
    case Test::kNotEqual:
    case Test::kSameAs:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool HasTest(std::string_view name) { return FindTest(name) != nullptr; }

absl::Status UnsupportedTest(std::string_view name) {
  return absl::InvalidArgumentError(
      Cat("test \"", name, "\" is not supported"));
}

absl::StatusOr<bool> ApplyTest(Arena& arena, std::string_view name,
                               const Value& operand,
                               const Arguments& arguments) {
  const Test* test = FindTest(name);
  if (test == nullptr) return UnsupportedTest(name);
  size_t num_arguments = arguments.positional.size() + arguments.named.size();
  if (num_arguments != (TakesArgument(*test) ? 1u : 0u)) {
    return absl::InvalidArgumentError(Cat("test \"", name, "\" takes ",
                                          TakesArgument(*test) ? "one" : "no",
                                          " argument"));
  }
  if (!TakesArgument(*test)) return ApplyPlain(arena, *test, operand);
  const Value& other = arguments.positional.empty() ? arguments.named[0].second
                                                    : arguments.positional[0];
  return ApplyComparison(arena, *test, operand, other);
}

absl::StatusOr<List> Bind(const Arguments& arguments,
                          std::initializer_list<std::string_view> names,
                          size_t num_required) {
  if (arguments.positional.size() > names.size()) {
    return absl::InvalidArgumentError(
        Cat("at most ", names.size(), " arguments are taken, ",
            arguments.positional.size(), " are given"));
  }
  List bound = arguments.positional;
  bound.resize(names.size());
  for (const auto& [name, value] : arguments.named) {
    size_t index = static_cast<size_t>(
        std::find(names.begin(), names.end(), name) - names.begin());
    if (index == names.size())
      return absl::InvalidArgumentError(
          Cat("argument \"", name, "\" is not known"));
    if (!bound[index].is_missing())
      return absl::InvalidArgumentError(
          Cat("argument \"", name, "\" is given twice"));
    bound[index] = value;
  }
  for (size_t i = 0; i < num_required; ++i) {
    if (bound[i].is_missing()) {
      return absl::InvalidArgumentError(
          Cat("argument \"", *(names.begin() + i), "\" is missing"));
    }
  }
  return bound;
}

absl::StatusOr<int64_t> IntegerOr(const Value& argument, int64_t otherwise) {
  if (argument.is_missing()) return otherwise;
  if (!argument.is_integer())
    return absl::InvalidArgumentError(
        Cat("an integer is needed, not ", TypeName(argument)));
  return argument.integer();
}

bool TrueOr(const Value& argument, bool otherwise) {
  return argument.is_missing() ? otherwise : IsTrue(argument);
}

}  // namespace specinfer::jinja
