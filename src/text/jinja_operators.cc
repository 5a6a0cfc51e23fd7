#include "src/text/jinja_operators.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/text/jinja_builtins.h"
#include "src/text/jinja_print.h"
#include "src/text/jinja_unicode.h"

namespace specinfer::jinja {
namespace {

absl::Status CannotCalculate(std::string_view name, const Value& left,
                             const Value& right) {
  return absl::InvalidArgumentError(Cat("\"", name, "\" cannot be applied to ",
                                        TypeName(left), " and ",
                                        TypeName(right)));
}

absl::Status OutOfRange() {
  return absl::OutOfRangeError("an integer does not fit into 64 bits");
}

absl::StatusOr<Value> Power(int64_t base, int64_t exponent) {
  int64_t power = 1;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1 && __builtin_mul_overflow(power, base, &power))
      return OutOfRange();
    if (exponent > 1 && __builtin_mul_overflow(base, base, &base))
      return OutOfRange();
  }
  return Value::Integer(power);
}

absl::StatusOr<Value> CalculateIntegers(std::string_view name, int64_t left,
                                        int64_t right) {
  int64_t result = 0;
  if (name == "+")
    return __builtin_add_overflow(left, right, &result)
               ? OutOfRange()
               : absl::StatusOr<Value>(Value::Integer(result));
  if (name == "-")
    return __builtin_sub_overflow(left, right, &result)
               ? OutOfRange()
               : absl::StatusOr<Value>(Value::Integer(result));
  if (name == "*")
    return __builtin_mul_overflow(left, right, &result)
               ? OutOfRange()
               : absl::StatusOr<Value>(Value::Integer(result));
  if (right == -1)
    return name == "%" ? Value::Integer(0) : CalculateIntegers("*", left, -1);
  int64_t remainder = left % right;
  bool rounds_down = remainder != 0 && (remainder < 0) != (right < 0);
  if (name == "%")
    return Value::Integer(rounds_down ? remainder + right : remainder);
  return Value::Integer(left / right - rounds_down);
}

absl::StatusOr<Value> CalculateFloats(std::string_view name, double left,
                                      double right) {
  if (name == "+") return Value::Float(left + right);
  if (name == "-") return Value::Float(left - right);
  if (name == "*") return Value::Float(left * right);
  if (name == "/") return Value::Float(left / right);
  if (name == "**") {
    double power = std::pow(left, right);
    if (std::isnan(power) && !std::isnan(left) && !std::isnan(right))
      return CannotCalculate(name, Value::Float(left), Value::Float(right));
    if (std::isinf(power) && std::isfinite(left) && std::isfinite(right))
      return absl::OutOfRangeError("a float is too large");
    return Value::Float(power);
  }
  double remainder = std::fmod(left, right);
  double quotient = (left - remainder) / right;
  if (remainder != 0 && (remainder < 0) != (right < 0)) {
    remainder += right;
    quotient -= 1;
  } else if (remainder == 0) {
    remainder = std::copysign(0.0, right);
  }
  if (name == "%") return Value::Float(remainder);
  if (quotient == 0) return Value::Float(std::copysign(0.0, left / right));
  double whole = std::floor(quotient);
  return Value::Float(quotient - whole > 0.5 ? whole + 1 : whole);
}

absl::StatusOr<Value> CalculateNumbers(std::string_view name, const Value& left,
                                       const Value& right) {
  bool divides = name == "/" || name == "//" || name == "%";
  if (divides && right.number() == 0)
    return absl::InvalidArgumentError("division by zero");
  if (name == "**" && left.number() == 0 && right.number() < 0)
    return absl::InvalidArgumentError("division by zero");
  bool is_whole = left.is_integer() && right.is_integer() && name != "/";
  if (is_whole && name == "**" && right.integer() >= 0)
    return Power(left.integer(), right.integer());
  if (is_whole && name != "**")
    return CalculateIntegers(name, left.integer(), right.integer());
  return CalculateFloats(name, left.number(), right.number());
}

absl::StatusOr<Value> AddStrings(Arena& arena, const Value& left,
                                 const Value& right) {
  bool is_markup = left.is_markup() || right.is_markup();
  SPECINFER_RETURN_IF_ERROR(
      arena.StepOver(left.text().size() + right.text().size()));
  SPECINFER_RETURN_IF_ERROR(
      arena.Charge(left.text().size() + right.text().size()));
  auto part = [is_markup](const Value& value) {
    return is_markup && !value.is_markup() ? EscapeHtml(value.text())
                                           : std::string(value.text());
  };
  SPECINFER_ASSIGN_OR_RETURN(
      Value sum, arena.NewString(is_markup ? part(left) + part(right)
                                           : Cat(left.text(), right.text())));
  return is_markup ? sum.AsMarkup() : sum;
}

absl::StatusOr<Value> AddLists(Arena& arena, const Value& left,
                               const Value& right) {
  SPECINFER_RETURN_IF_ERROR(arena.Step(
      static_cast<int64_t>(left.list().size() + right.list().size())));
  List sum = left.list();
  sum.insert(sum.end(), right.list().begin(), right.list().end());
  return arena.NewList(std::move(sum), left.kind());
}

// A string or list several times.
absl::StatusOr<Value> Repeat(Arena& arena, const Value& value,
                             int64_t num_times) {
  size_t times = num_times < 0 ? 0 : static_cast<size_t>(num_times);
  size_t bytes = value.is_string() ? value.text().size()
                                   : value.list().size() * sizeof(Value);
  if (bytes > 0 && times > kMaxArenaBytes / bytes)
    return arena.Charge(kMaxArenaBytes + 1);
  SPECINFER_RETURN_IF_ERROR(arena.StepOver(bytes * times));
  SPECINFER_RETURN_IF_ERROR(arena.Charge(bytes * times));
  if (value.is_string()) {
    std::string text;
    text.reserve(bytes * times);
    for (size_t i = 0; bytes > 0 && i < times; ++i) text += value.text();
    return arena.NewString(std::move(text));
  }
  List items;
  items.reserve(value.list().size() * times);
  for (size_t i = 0; bytes > 0 && i < times; ++i)
    items.insert(items.end(), value.list().begin(), value.list().end());
  return arena.NewList(std::move(items), value.kind());
}

absl::StatusOr<Value> LoopAttribute(Arena& arena, const Value& object,
                                    std::string_view name) {
  const Loop& loop = object.loop();
  int64_t index = static_cast<int64_t>(loop.index),
          length = static_cast<int64_t>(loop.items->size());
  if (name == "index") return Value::Integer(index + 1);
  if (name == "index0") return Value::Integer(index);
  if (name == "revindex") return Value::Integer(length - index);
  if (name == "revindex0") return Value::Integer(length - index - 1);
  if (name == "first") return Value::Bool(index == 0);
  if (name == "last") return Value::Bool(index + 1 == length);
  if (name == "length") return Value::Integer(length);
  if (name == "depth") return Value::Integer(static_cast<int64_t>(loop.depth));
  if (name == "depth0")
    return Value::Integer(static_cast<int64_t>(loop.depth) - 1);
  if (name == "previtem")
    return index == 0 ? Value::Undefined("loop.previtem")
                      : (*loop.items)[loop.index - 1];
  if (name == "nextitem") {
    return index + 1 == length ? Value::Undefined("loop.nextitem")
                               : (*loop.items)[loop.index + 1];
  }
  if (name == "cycle" || name == "changed")
    return arena.NewMethod(object, name);
  return Value::Undefined(name);
}

// The integer of a bound of a slice, clipped into [low, high] after counting
// negative ones from the end.
absl::StatusOr<int64_t> SliceBound(const Value& bound, int64_t otherwise,
                                   int64_t length, int64_t low, int64_t high) {
  if (bound.is_none() || bound.is_missing()) return otherwise;
  if (!bound.is_integer())
    return absl::InvalidArgumentError("the bounds of a slice must be integers");
  int64_t index = bound.integer();
  if (index < 0) index = std::max(index, -length - 1) + length;
  return std::clamp(index, low, high);
}

}  // namespace

absl::Status UndefinedError(const Value& value) {
  if (value.text().empty())
    return absl::InvalidArgumentError("a value is undefined");
  return absl::InvalidArgumentError(Cat("\"", value.text(), "\" is undefined"));
}

absl::StatusOr<Value> Calculate(Arena& arena, std::string_view name,
                                const Value& left, const Value& right) {
  if (left.is_undefined()) return UndefinedError(left);
  if (name == "%" && left.is_string())
    return FormatPercent(arena, left.text(), right);
  if (right.is_undefined()) return UndefinedError(right);
  if (left.is_number() && right.is_number())
    return CalculateNumbers(name, left, right);
  if (name == "+" && left.is_string() && right.is_string())
    return AddStrings(arena, left, right);
  if (name == "+" && left.is_list() && left.kind() == right.kind())
    return AddLists(arena, left, right);
  if (name == "*" && (left.is_string() || left.is_list()) &&
      right.is_integer()) {
    return Repeat(arena, left, right.integer());
  }
  if (name == "*" && left.is_integer() &&
      (right.is_string() || right.is_list())) {
    return Repeat(arena, right, left.integer());
  }
  return CannotCalculate(name, left, right);
}

absl::StatusOr<Value> Negate(const Value& operand) {
  if (operand.is_undefined()) return UndefinedError(operand);
  if (operand.is_integer()) return CalculateIntegers("-", 0, operand.integer());
  if (operand.is(ValueKind::kFloat)) return Value::Float(-operand.number());
  return absl::InvalidArgumentError(
      Cat("\"-\" cannot be applied to ", TypeName(operand)));
}

absl::StatusOr<bool> Contains(Arena& arena, const Value& container,
                              const Value& item) {
  if (container.is_string()) {
    if (item.is_undefined()) return UndefinedError(item);
    if (!item.is_string()) {
      return absl::InvalidArgumentError(
          Cat("\"in\" looks for a str in a str, not for ", TypeName(item)));
    }
    SPECINFER_RETURN_IF_ERROR(
        arena.StepOver(container.text().size() * 4 + item.text().size()));
    return FindText(container.text(), item.text()) != std::string_view::npos;
  }
  if (container.is(ValueKind::kDict)) {
    SPECINFER_ASSIGN_OR_RETURN(const Value* value,
                               FindKey(arena, container.dict(), item));
    return value != nullptr;
  }
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena, container));
  for (const Value& candidate : *items) {
    SPECINFER_ASSIGN_OR_RETURN(bool is_equal, Equal(arena, candidate, item));
    if (is_equal) return true;
  }
  return false;
}

absl::StatusOr<Value> GetAttribute(Arena& arena, const Value& object,
                                   std::string_view name) {
  if (object.is_undefined()) return UndefinedError(object);
  if (object.is(ValueKind::kLoop)) return LoopAttribute(arena, object, name);
  if (object.is(ValueKind::kCycler) && name == "current")
    return object.cycler().items[object.cycler().next];
  if (HasMethod(object, name)) return arena.NewMethod(object, name);
  if (object.is(ValueKind::kDict) || object.is(ValueKind::kNamespace)) {
    const Value* value = object.dict().Find(name);
    if (value != nullptr) return *value;
  }
  return Value::Undefined(name);
}

absl::StatusOr<Value> GetItem(Arena& arena, const Value& object,
                              const Value& key) {
  if (object.is_undefined()) return UndefinedError(object);
  if (object.is(ValueKind::kDict)) {
    absl::StatusOr<const Value*> value = FindKey(arena, object.dict(), key);
    if (absl::IsResourceExhausted(value.status())) return value.status();
    if (value.ok() && *value != nullptr) return **value;
  } else if ((object.is_list() || object.is_string()) && key.is_integer()) {
    int64_t length =
        static_cast<int64_t>(object.is_list() ? object.list().size()
                                              : CountCodePoints(object.text()));
    int64_t index = key.integer() < 0 ? key.integer() + length : key.integer();
    if (index < 0 || index >= length)
      return Value::Undefined("an item beyond the end");
    if (object.is_list()) return object.list()[static_cast<size_t>(index)];
    SPECINFER_RETURN_IF_ERROR(arena.StepOver(object.text().size()));
    size_t begin = CodePointOffset(object.text(), static_cast<size_t>(index));
    return Value::String(
        object.text().substr(begin, CodePointBytes(object.text()[begin])));
  }
  if (key.is_string()) return GetAttribute(arena, object, key.text());
  return Value::Undefined("an item");
}

absl::StatusOr<Value> GetSlice(Arena& arena, const Value& object,
                               const Value& start, const Value& stop,
                               const Value& step) {
  if (object.is_undefined()) return UndefinedError(object);
  if (!object.is_list() && !object.is_string()) {
    return absl::InvalidArgumentError(
        Cat(TypeName(object), " cannot be sliced"));
  }
  SPECINFER_RETURN_IF_ERROR(
      arena.StepOver(object.is_string() ? object.text().size() : 0));
  int64_t length =
      static_cast<int64_t>(object.is_string() ? CountCodePoints(object.text())
                                              : object.list().size());
  int64_t stride = 1;
  if (!step.is_none() && !step.is_missing()) {
    if (!step.is_integer() || step.integer() == 0) {
      return absl::InvalidArgumentError(
          "the step of a slice must be an integer other than zero");
    }
    stride = std::clamp(step.integer(), -length - 1, length + 1);
  }
  bool is_backward = stride < 0;
  int64_t low = is_backward ? -1 : 0, high = is_backward ? length - 1 : length;
  SPECINFER_ASSIGN_OR_RETURN(
      int64_t first,
      SliceBound(start, is_backward ? high : low, length, low, high));
  SPECINFER_ASSIGN_OR_RETURN(
      int64_t last,
      SliceBound(stop, is_backward ? low : high, length, low, high));
  if (object.is_string() && stride == 1) {
    if (first >= last) return Value::String("");
    std::string_view tail = object.text().substr(
        CodePointOffset(object.text(), static_cast<size_t>(first)));
    return Value::String(tail.substr(
        0, CodePointOffset(tail, static_cast<size_t>(last - first))));
  }
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena, object));
  List slice;
  std::string text;
  for (int64_t i = first; is_backward ? i > last : i < last; i += stride) {
    SPECINFER_RETURN_IF_ERROR(arena.Step());
    const Value& item = (*items)[static_cast<size_t>(i)];
    if (object.is_string()) {
      text += item.text();
    } else {
      slice.push_back(item);
    }
  }
  if (object.is_string()) return arena.NewString(std::move(text));
  return arena.NewList(std::move(slice), object.kind());
}

}  // namespace specinfer::jinja
