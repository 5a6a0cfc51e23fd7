// The part of Evaluator that computes expressions.
#include <algorithm>
#include <string>
#include <utility>

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/text/jinja_builtins.h"
#include "src/text/jinja_evaluator.h"
#include "src/text/jinja_operators.h"
#include "src/text/jinja_print.h"

namespace specinfer::jinja {
namespace {

// Whether a macro's body uses one of the names it is given only when it asks:
// varargs, kwargs, caller.
bool Mentions(const Node& node, std::string_view name) {
  if (node.kind == NodeKind::kName && node.text == name) return true;
  for (const NodePtr& child : node.children) {
    if (child != nullptr && Mentions(*child, name)) return true;
  }
  for (const Argument& argument : node.arguments) {
    if (argument.value != nullptr && Mentions(*argument.value, name))
      return true;
  }
  return false;
}

}  // namespace

Evaluator::ValueOr Evaluator::Evaluate(const Node& node) {
  DepthGuard guard(arena_);
  absl::Status status = guard.ok() ? arena_.Step() : guard.status();
  if (!status.ok()) return AtLine(status, node.line);
  ValueOr value = DispatchExpression(node);
  if (!value.ok()) return AtLine(value.status(), node.line);
  return value;
}

Evaluator::ValueOr Evaluator::DispatchExpression(const Node& node) {
  switch (node.kind) {
    case NodeKind::kNone:
      return Value::None();
    case NodeKind::kBool:
      return Value::Bool(node.integer != 0);
    case NodeKind::kInteger:
      return Value::Integer(node.integer);
    case NodeKind::kFloat:
      return Value::Float(node.number);
    case NodeKind::kString:
      return Value::String(node.text);
    case NodeKind::kName:
      return EvaluateName(node);
    case NodeKind::kCaptured:
      return captured_;
    case NodeKind::kTuple:
    case NodeKind::kList:
      return EvaluateItems(node);
    case NodeKind::kDict:
      return EvaluateDict(node);
    case NodeKind::kAttribute: {
      SPECINFER_ASSIGN_OR_RETURN(Value object, Evaluate(*node.children[0]));
      return GetAttribute(arena_, object, node.text);
    }
    case NodeKind::kItem:
      return EvaluateItem(node);
    case NodeKind::kCall:
      return EvaluateCall(node);
    case NodeKind::kFilter:
      return EvaluateFilter(node);
    case NodeKind::kTest:
      return EvaluateTest(node);
    case NodeKind::kNot:
    case NodeKind::kNegative:
    case NodeKind::kPositive:
      return EvaluateUnary(node);
    case NodeKind::kAnd:
    case NodeKind::kOr:
      return EvaluateLogic(node);
    case NodeKind::kBinary:
      return EvaluateBinary(node);
    case NodeKind::kConcat:
      return EvaluateConcat(node);
    case NodeKind::kCompare:
      return EvaluateCompare(node);
    case NodeKind::kConditional:
      return EvaluateConditional(node);
    default:
      return absl::InvalidArgumentError(
          "a slice stands outside of a subscript");
  }
}

const Value* Evaluator::FindName(std::string_view name) const {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->outer) {
    auto it = scope->names.find(name);
    if (it != scope->names.end()) return &it->second;
  }
  return nullptr;
}

Evaluator::ValueOr Evaluator::EvaluateName(const Node& node) {
  const Value* value = FindName(node.text);
  if (value != nullptr) return *value;
  if (HasFunction(node.text)) return Value::Function(node.text);
  return Value::Undefined(node.text);
}

Evaluator::ValueOr Evaluator::EvaluateItems(const Node& node) {
  List items;
  items.reserve(node.children.size());
  for (const NodePtr& child : node.children) {
    SPECINFER_ASSIGN_OR_RETURN(Value item, Evaluate(*child));
    items.push_back(item);
  }
  return arena_.NewList(std::move(items), node.kind == NodeKind::kTuple
                                              ? ValueKind::kTuple
                                              : ValueKind::kList);
}

Evaluator::ValueOr Evaluator::EvaluateDict(const Node& node) {
  SPECINFER_ASSIGN_OR_RETURN(Dict * dict, arena_.NewDict());
  for (size_t i = 0; i + 1 < node.children.size(); i += 2) {
    SPECINFER_ASSIGN_OR_RETURN(Value key, Evaluate(*node.children[i]));
    SPECINFER_ASSIGN_OR_RETURN(Value value, Evaluate(*node.children[i + 1]));
    SPECINFER_RETURN_IF_ERROR(SetKey(arena_, *dict, key, value));
  }
  return Value::Handle(ValueKind::kDict, dict);
}

Evaluator::ValueOr Evaluator::EvaluateItem(const Node& node) {
  SPECINFER_ASSIGN_OR_RETURN(Value object, Evaluate(*node.children[0]));
  const Node& subscript = *node.children[1];
  if (subscript.kind != NodeKind::kSlice) {
    SPECINFER_ASSIGN_OR_RETURN(Value key, Evaluate(subscript));
    return GetItem(arena_, object, key);
  }
  Value bounds[3];
  for (size_t i = 0; i < 3; ++i) {
    if (subscript.children[i] == nullptr) continue;
    SPECINFER_ASSIGN_OR_RETURN(bounds[i], Evaluate(*subscript.children[i]));
  }
  return GetSlice(arena_, object, bounds[0], bounds[1], bounds[2]);
}

absl::StatusOr<Arguments> Evaluator::EvaluateArguments(const Node& node) {
  Arguments arguments;
  for (const Argument& argument : node.arguments) {
    SPECINFER_ASSIGN_OR_RETURN(Value value, Evaluate(*argument.value));
    switch (argument.kind) {
      case Argument::Kind::kPositional:
        arguments.positional.push_back(value);
        break;
      case Argument::Kind::kNamed:
        arguments.named.emplace_back(argument.name, value);
        break;
      case Argument::Kind::kSpread: {
        SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena_, value));
        SPECINFER_RETURN_IF_ERROR(
            arena_.Step(static_cast<int64_t>(items->size())));
        arguments.positional.insert(arguments.positional.end(), items->begin(),
                                    items->end());
        break;
      }
      case Argument::Kind::kSpreadNamed:
        if (!value.is(ValueKind::kDict))
          return absl::InvalidArgumentError("\"**\" needs a dict");
        for (const auto& [key, named] : value.dict().entries) {
          SPECINFER_RETURN_IF_ERROR(arena_.Step());
          if (!key.is_string())
            return absl::InvalidArgumentError(
                "\"**\" needs a dict whose keys are strings");
          arguments.named.emplace_back(key.text(), named);
        }
        break;
    }
  }
  return arguments;
}

Evaluator::ValueOr Evaluator::EvaluateCall(const Node& node) {
  SPECINFER_ASSIGN_OR_RETURN(Value callee, Evaluate(*node.children[0]));
  SPECINFER_ASSIGN_OR_RETURN(Arguments arguments, EvaluateArguments(node));
  return Call(callee, arguments);
}

Evaluator::ValueOr Evaluator::Call(const Value& callee,
                                   const Arguments& arguments) {
  switch (callee.kind()) {
    case ValueKind::kUndefined:
      return UndefinedError(callee);
    case ValueKind::kFunction:
      return CallFunction(arena_, callee.text(), arguments, date_);
    case ValueKind::kMethod:
      return CallMethod(arena_, callee.method(), arguments);
    case ValueKind::kMacro:
      return CallMacro(callee.macro(), arguments);
    case ValueKind::kJoiner: {
      Cycler& joiner = callee.cycler();
      return joiner.items[std::exchange(joiner.next, 1)];
    }
    default:
      return absl::InvalidArgumentError(
          Cat(TypeName(callee), " cannot be called"));
  }
}

// Sets the parameters of a macro or call block in the current scope.
absl::Status Evaluator::BindParameters(const Node& macro,
                                       const Arguments& arguments) {
  const Node& body = *macro.children.back();
  const size_t num_parameters = macro.arguments.size();
  SPECINFER_ASSIGN_OR_RETURN(Dict * extra, arena_.NewDict());
  List given(num_parameters);
  std::copy_n(arguments.positional.begin(),
              std::min(num_parameters, arguments.positional.size()),
              given.begin());
  for (const auto& [name, value] : arguments.named) {
    auto parameter = std::find_if(
        macro.arguments.begin(), macro.arguments.end(),
        [n = name](const Argument& argument) { return argument.name == n; });
    size_t index = static_cast<size_t>(parameter - macro.arguments.begin());
    if (parameter != macro.arguments.end() && given[index].is_missing()) {
      given[index] = value;
    } else if (name == "caller" && parameter == macro.arguments.end() &&
               Mentions(body, "caller")) {
      scope_->names["caller"] = value;
    } else if (Mentions(body, "kwargs")) {
      SPECINFER_RETURN_IF_ERROR(
          SetKey(arena_, *extra, Value::String(name), value));
    } else {
      return absl::InvalidArgumentError(
          Cat("macro \"", macro.text, "\" takes no argument \"", name, "\""));
    }
  }
  if (Mentions(body, "kwargs"))
    scope_->names["kwargs"] = Value::Handle(ValueKind::kDict, extra);
  if (Mentions(body, "varargs")) {
    List rest;
    for (size_t i = num_parameters; i < arguments.positional.size(); ++i)
      rest.push_back(arguments.positional[i]);
    SPECINFER_ASSIGN_OR_RETURN(
        scope_->names["varargs"],
        arena_.NewList(std::move(rest), ValueKind::kTuple));
  } else if (arguments.positional.size() > num_parameters) {
    return absl::InvalidArgumentError(Cat("macro \"", macro.text,
                                          "\" takes at most ", num_parameters,
                                          " arguments"));
  }
  for (size_t i = 0; i < num_parameters; ++i) {
    const Argument& parameter = macro.arguments[i];
    if (given[i].is_missing() && parameter.value != nullptr) {
      SPECINFER_ASSIGN_OR_RETURN(given[i], Evaluate(*parameter.value));
    }
    scope_->names[parameter.name] =
        given[i].is_missing() ? Value::Undefined(parameter.name) : given[i];
  }
  return absl::OkStatus();
}

Evaluator::ValueOr Evaluator::CallMacro(const Macro& macro,
                                        const Arguments& arguments) {
  DepthGuard guard(arena_);
  if (!guard.ok()) return guard.status();
  SPECINFER_ASSIGN_OR_RETURN(Scope * scope, arena_.NewScope(macro.scope));
  ScopeChange change(*this, scope);
  SPECINFER_RETURN_IF_ERROR(BindParameters(*macro.definition, arguments));
  return Capture(*macro.definition->children.back(), scope);
}

Evaluator::ValueOr Evaluator::EvaluateFilter(const Node& node) {
  SPECINFER_ASSIGN_OR_RETURN(Value operand, Evaluate(*node.children[0]));
  if (node.arguments.empty())
    return ApplyFilter(arena_, node.text, operand, Arguments());
  SPECINFER_ASSIGN_OR_RETURN(Arguments arguments, EvaluateArguments(node));
  return ApplyFilter(arena_, node.text, operand, arguments);
}

Evaluator::ValueOr Evaluator::EvaluateTest(const Node& node) {
  SPECINFER_ASSIGN_OR_RETURN(Value operand, Evaluate(*node.children[0]));
  SPECINFER_ASSIGN_OR_RETURN(Arguments arguments, EvaluateArguments(node));
  SPECINFER_ASSIGN_OR_RETURN(bool passes,
                             ApplyTest(arena_, node.text, operand, arguments));
  return Value::Bool(passes);
}

Evaluator::ValueOr Evaluator::EvaluateUnary(const Node& node) {
  SPECINFER_ASSIGN_OR_RETURN(Value operand, Evaluate(*node.children[0]));
  if (node.kind == NodeKind::kNot) return Value::Bool(!IsTrue(operand));
  if (node.kind == NodeKind::kNegative) return Negate(operand);
  return Calculate(arena_, "+", Value::Integer(0), operand);
}

Evaluator::ValueOr Evaluator::EvaluateLogic(const Node& node) {
  SPECINFER_ASSIGN_OR_RETURN(Value left, Evaluate(*node.children[0]));
  if (IsTrue(left) == (node.kind == NodeKind::kOr)) return left;
  return Evaluate(*node.children[1]);
}

Evaluator::ValueOr Evaluator::EvaluateBinary(const Node& node) {
  SPECINFER_ASSIGN_OR_RETURN(Value left, Evaluate(*node.children[0]));
  SPECINFER_ASSIGN_OR_RETURN(Value right, Evaluate(*node.children[1]));
  return Calculate(arena_, node.text, left, right);
}

Evaluator::ValueOr Evaluator::EvaluateConcat(const Node& node) {
  std::string text;
  for (const NodePtr& child : node.children) {
    SPECINFER_ASSIGN_OR_RETURN(Value operand, Evaluate(*child));
    SPECINFER_RETURN_IF_ERROR(AppendStr(arena_, operand, text));
  }
  return arena_.NewString(std::move(text));
}

absl::StatusOr<bool> Evaluator::Compare(Comparison comparison,
                                        const Value& left, const Value& right) {
  switch (comparison) {
    case Comparison::kEqual:
      return Equal(arena_, left, right);
    case Comparison::kIn:
      return Contains(arena_, right, left);
    case Comparison::kNotEqual: {
      SPECINFER_ASSIGN_OR_RETURN(bool is_equal, Equal(arena_, left, right));
      return !is_equal;
    }
    case Comparison::kNotIn: {
      SPECINFER_ASSIGN_OR_RETURN(bool is_in, Contains(arena_, right, left));
      return !is_in;
    }
    default:
      break;
  }
  if (left.is_undefined()) return UndefinedError(left);
  if (right.is_undefined()) return UndefinedError(right);
  bool is_swapped = comparison == Comparison::kGreater ||
                    comparison == Comparison::kLessEqual;
  SPECINFER_ASSIGN_OR_RETURN(bool is_less, is_swapped
                                               ? Less(arena_, right, left)
                                               : Less(arena_, left, right));
  bool is_negated = comparison == Comparison::kLessEqual ||
                    comparison == Comparison::kGreaterEqual;
  return is_less != is_negated;
}

Evaluator::ValueOr Evaluator::EvaluateCompare(const Node& node) {
  SPECINFER_ASSIGN_OR_RETURN(Value left, Evaluate(*node.children[0]));
  for (size_t i = 0; i < node.comparisons.size(); ++i) {
    SPECINFER_ASSIGN_OR_RETURN(Value right, Evaluate(*node.children[i + 1]));
    SPECINFER_ASSIGN_OR_RETURN(bool holds,
                               Compare(node.comparisons[i], left, right));
    if (!holds) return Value::Bool(false);
    left = right;
  }
  return Value::Bool(true);
}

Evaluator::ValueOr Evaluator::EvaluateConditional(const Node& node) {
  SPECINFER_ASSIGN_OR_RETURN(Value condition, Evaluate(*node.children[0]));
  if (IsTrue(condition)) return Evaluate(*node.children[1]);
  if (node.children[2] != nullptr) return Evaluate(*node.children[2]);
  return Value::Undefined("the value of an if without else");
}

}  // namespace specinfer::jinja
