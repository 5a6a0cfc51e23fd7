// Methods of dicts, lists and loops, and the functions every template can call.
#include <algorithm>
#include <string>
#include <utility>

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/text/jinja_builtins.h"
#include "src/text/jinja_operators.h"
#include "src/text/jinja_print.h"

namespace specinfer::jinja {
namespace {

using ValueOr = absl::StatusOr<Value>;
using Names = std::initializer_list<std::string_view>;

constexpr std::string_view kFunctions[] = {
    "cycler",          "dict",  "joiner",      "namespace",
    "raise_exception", "range", "strftime_now"};
constexpr std::string_view kDictMethods[] = {"get", "items", "keys", "values",
                                             "copy"};
constexpr std::string_view kListMethods[] = {"index", "count", "copy"};
// Methods the immutable sandbox refuses: they would change the application's
// data.
constexpr std::string_view kChangingMethods[] = {
    "append",  "clear",  "extend",     "insert", "pop",
    "popitem", "remove", "setdefault", "sort",   "update"};
constexpr std::string_view kChangingListMethods[] = {
    "append", "clear", "extend", "insert", "pop", "remove", "sort", "reverse"};
constexpr std::string_view kChangingDictMethods[] = {"clear", "pop", "popitem",
                                                     "setdefault", "update"};

template <size_t kCount>
bool IsAmong(const std::string_view (&names)[kCount], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

ValueOr CallDictMethod(Arena& arena, const Value& receiver,
                       std::string_view name, const Arguments& arguments) {
  const Dict& dict = receiver.dict();
  if (name == "get") {
    SPECINFER_ASSIGN_OR_RETURN(List bound,
                               Bind(arguments, {"key", "default"}, 1));
    SPECINFER_ASSIGN_OR_RETURN(const Value* value,
                               FindKey(arena, dict, bound[0]));
    if (value != nullptr) return *value;
    return bound[1].is_missing() ? Value::None() : bound[1];
  }
  SPECINFER_RETURN_IF_ERROR(Bind(arguments, {}).status());
  if (name == "copy") return receiver;
  List items;
  for (const auto& [key, value] : dict.entries) {
    SPECINFER_RETURN_IF_ERROR(arena.Step());
    if (name == "items") {
      SPECINFER_ASSIGN_OR_RETURN(
          Value pair, arena.NewList({key, value}, ValueKind::kTuple));
      items.push_back(pair);
    } else {
      items.push_back(name == "keys" ? key : value);
    }
  }
  return arena.NewList(std::move(items));
}

ValueOr CallListMethod(Arena& arena, const Value& receiver,
                       std::string_view name, const Arguments& arguments) {
  if (name == "copy") return receiver;
  SPECINFER_ASSIGN_OR_RETURN(List bound, Bind(arguments, {"value"}, 1));
  int64_t num_found = 0;
  for (size_t i = 0; i < receiver.list().size(); ++i) {
    SPECINFER_ASSIGN_OR_RETURN(bool is_equal,
                               Equal(arena, receiver.list()[i], bound[0]));
    if (is_equal && name == "index")
      return Value::Integer(static_cast<int64_t>(i));
    num_found += is_equal;
  }
  if (name == "index")
    return absl::InvalidArgumentError("the list does not have that item");
  return Value::Integer(num_found);
}

ValueOr CallLoopMethod(Arena& arena, Loop& loop, std::string_view name,
                       const Arguments& arguments) {
  if (!arguments.named.empty())
    return absl::InvalidArgumentError("loop methods take no named arguments");
  if (name == "cycle") {
    if (arguments.positional.empty())
      return absl::InvalidArgumentError("loop.cycle needs items");
    return arguments.positional[loop.index % arguments.positional.size()];
  }
  SPECINFER_ASSIGN_OR_RETURN(
      Value current, arena.NewList(arguments.positional, ValueKind::kTuple));
  SPECINFER_ASSIGN_OR_RETURN(bool is_same,
                             Equal(arena, current, loop.last_changed));
  loop.last_changed = current;
  return Value::Bool(!is_same);
}

ValueOr CallCyclerMethod(Cycler& cycler, std::string_view name) {
  if (name == "reset") {
    cycler.next = 0;
    return Value::None();
  }
  Value current = cycler.items[cycler.next];
  cycler.next = (cycler.next + 1) % cycler.items.size();
  return current;
}

ValueOr MakeRange(Arena& arena, const Arguments& arguments) {
  if (!arguments.named.empty())
    return absl::InvalidArgumentError("range takes no named arguments");
  SPECINFER_ASSIGN_OR_RETURN(List bound,
                             Bind(arguments, {"start", "stop", "step"}, 1));
  SPECINFER_ASSIGN_OR_RETURN(int64_t first, IntegerOr(bound[0], 0));
  SPECINFER_ASSIGN_OR_RETURN(int64_t stop, IntegerOr(bound[1], first));
  SPECINFER_ASSIGN_OR_RETURN(int64_t step, IntegerOr(bound[2], 1));
  int64_t start = bound[1].is_missing() ? 0 : first;
  if (step == 0)
    return absl::InvalidArgumentError("the step of range must not be zero");
  double num_items = (static_cast<double>(stop) - static_cast<double>(start)) /
                     static_cast<double>(step);
  if (num_items > static_cast<double>(kMaxRange)) {
    return absl::ResourceExhaustedError(
        Cat("range has more than ", kMaxRange, " items"));
  }
  List items;
  for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
    SPECINFER_RETURN_IF_ERROR(arena.Step());
    items.push_back(Value::Integer(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return arena.NewList(std::move(items));
}

// dict(...) and namespace(...): at most one mapping or list of pairs, then
// names.
ValueOr MakeDict(Arena& arena, ValueKind kind, const Arguments& arguments) {
  if (arguments.positional.size() > 1)
    return absl::InvalidArgumentError(
        "dict takes at most one argument without name");
  SPECINFER_ASSIGN_OR_RETURN(Dict * dict, arena.NewDict());
  for (const Value& source : arguments.positional) {
    if (source.is_undefined()) return UndefinedError(source);
    if (source.is(ValueKind::kDict)) {
      SPECINFER_RETURN_IF_ERROR(
          arena.Charge(source.dict().entries.size() * sizeof(Value) * 4));
      SPECINFER_RETURN_IF_ERROR(
          arena.Step(static_cast<int64_t>(source.dict().entries.size())));
      *dict = source.dict();
      continue;
    }
    SPECINFER_ASSIGN_OR_RETURN(const List* pairs, Iterate(arena, source));
    for (const Value& pair : *pairs) {
      SPECINFER_ASSIGN_OR_RETURN(const List* parts, Iterate(arena, pair));
      if (parts->size() != 2)
        return absl::InvalidArgumentError("dict needs pairs");
      SPECINFER_RETURN_IF_ERROR(SetKey(arena, *dict, (*parts)[0], (*parts)[1]));
    }
  }
  for (const auto& [name, value] : arguments.named) {
    SPECINFER_RETURN_IF_ERROR(SetKey(arena, *dict, Value::String(name), value));
  }
  return Value::Handle(kind, dict);
}

absl::Status RaiseException(Arena& arena, const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound, Bind(arguments, {"message"}, 1));
  SPECINFER_ASSIGN_OR_RETURN(std::string_view message, ToText(arena, bound[0]));
  return absl::InvalidArgumentError(
      Cat("the template refuses the conversation: ", message));
}

}  // namespace

bool HasFunction(std::string_view name) { return IsAmong(kFunctions, name); }

bool HasMethod(const Value& receiver, std::string_view name) {
  switch (receiver.kind()) {
    case ValueKind::kString:
      return HasStringMethod(name);
    case ValueKind::kDict:
      return IsAmong(kDictMethods, name) || IsAmong(kChangingDictMethods, name);
    case ValueKind::kList:
      return IsAmong(kListMethods, name) || IsAmong(kChangingListMethods, name);
    case ValueKind::kTuple:
      return name == "index" || name == "count";
    case ValueKind::kCycler:
      return name == "next" || name == "reset";
    default:
      return false;
  }
}

absl::StatusOr<Value> CallMethod(Arena& arena, const Method& method,
                                 const Arguments& arguments) {
  const Value& receiver = method.receiver;
  switch (receiver.kind()) {
    case ValueKind::kString: {
      ValueOr result =
          CallStringMethod(arena, receiver, method.name, arguments);
      if (result.ok() && result->is_string() && receiver.is_markup())
        return result->AsMarkup();
      return result;
    }
    case ValueKind::kLoop:
      return CallLoopMethod(arena, receiver.loop(), method.name, arguments);
    case ValueKind::kCycler:
      return CallCyclerMethod(receiver.cycler(), method.name);
    default:
      break;
  }
  if (IsAmong(kChangingMethods, method.name) || method.name == "reverse") {
    return absl::InvalidArgumentError(Cat("a chat template may not change a ",
                                          TypeName(receiver), " with \"",
                                          method.name, "\""));
  }
  if (receiver.is(ValueKind::kDict))
    return CallDictMethod(arena, receiver, method.name, arguments);
  return CallListMethod(arena, receiver, method.name, arguments);
}

absl::StatusOr<Value> CallFunction(Arena& arena, std::string_view name,
                                   const Arguments& arguments,
                                   std::string_view date) {
  if (name == "range") return MakeRange(arena, arguments);
  if (name == "dict") return MakeDict(arena, ValueKind::kDict, arguments);
  if (name == "namespace")
    return MakeDict(arena, ValueKind::kNamespace, arguments);
  if (name == "raise_exception") return RaiseException(arena, arguments);
  if (name == "cycler") {
    if (arguments.positional.empty())
      return absl::InvalidArgumentError("cycler needs items");
    return arena.NewCycler(arguments.positional, ValueKind::kCycler);
  }
  if (name == "joiner") {
    SPECINFER_ASSIGN_OR_RETURN(List bound, Bind(arguments, {"sep"}));
    Value separator = bound[0].is_missing() ? Value::String(", ") : bound[0];
    return arena.NewCycler({Value::String(""), separator}, ValueKind::kJoiner);
  }
  SPECINFER_ASSIGN_OR_RETURN(List bound, Bind(arguments, {"format"}, 1));
  if (!bound[0].is_string())
    return absl::InvalidArgumentError("strftime_now needs a format");
  SPECINFER_ASSIGN_OR_RETURN(std::string text,
                             FormatDate(bound[0].text(), date));
  return arena.NewString(std::move(text));
}

}  // namespace specinfer::jinja
