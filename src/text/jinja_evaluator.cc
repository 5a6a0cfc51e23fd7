#include "src/text/jinja_evaluator.h"

#include <utility>

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/text/jinja_print.h"

namespace specinfer::jinja {

absl::StatusOr<std::string> Evaluator::Render(const Node& body) {
  std::string out;
  out_ = &out;
  SPECINFER_ASSIGN_OR_RETURN(Scope * scope, arena_.NewScope(scope_));
  ScopeChange change(*this, scope);
  SPECINFER_RETURN_IF_ERROR(Execute(body).status());
  return out;
}

absl::Status Evaluator::Write(std::string_view text) {
  SPECINFER_RETURN_IF_ERROR(arena_.Charge(text.size()));
  if (out_->size() + text.size() > kMaxOutputBytes) {
    return absl::ResourceExhaustedError(
        Cat("the text is longer than ", kMaxOutputBytes >> 20, " MiB"));
  }
  out_->append(text);
  return absl::OkStatus();
}

Evaluator::FlowOr Evaluator::Execute(const Node& node) {
  DepthGuard guard(arena_);
  absl::Status status = guard.ok() ? arena_.Step() : guard.status();
  if (!status.ok()) return AtLine(status, node.line);
  FlowOr flow = Dispatch(node);
  if (!flow.ok()) return AtLine(flow.status(), node.line);
  return flow;
}

Evaluator::FlowOr Evaluator::Dispatch(const Node& node) {
  switch (node.kind) {
    case NodeKind::kBody:
      return ExecuteBody(node);
    case NodeKind::kIf:
      return ExecuteIf(node);
    case NodeKind::kFor:
      return ExecuteFor(node);
    case NodeKind::kWith:
      return ExecuteWith(node);
    case NodeKind::kBreak:
      return Flow::kBreak;
    case NodeKind::kContinue:
      return Flow::kContinue;
    case NodeKind::kText:
      SPECINFER_RETURN_IF_ERROR(Write(node.text));
      break;
    case NodeKind::kOutput: {
      SPECINFER_ASSIGN_OR_RETURN(Value value, Evaluate(*node.children[0]));
      SPECINFER_ASSIGN_OR_RETURN(std::string_view text, ToText(arena_, value));
      SPECINFER_RETURN_IF_ERROR(Write(text));
      break;
    }
    case NodeKind::kSet:
      SPECINFER_RETURN_IF_ERROR(ExecuteSet(node));
      break;
    case NodeKind::kSetBlock:
      SPECINFER_RETURN_IF_ERROR(ExecuteSetBlock(node));
      break;
    case NodeKind::kMacro: {
      SPECINFER_ASSIGN_OR_RETURN(Value macro, arena_.NewMacro(&node, scope_));
      scope_->names[node.text] = macro;
      break;
    }
    case NodeKind::kCallBlock:
      SPECINFER_RETURN_IF_ERROR(ExecuteCallBlock(node));
      break;
    default:
      SPECINFER_RETURN_IF_ERROR(ExecuteFilterBlock(node));
      break;
  }
  return Flow::kNext;
}

Evaluator::FlowOr Evaluator::ExecuteBody(const Node& node) {
  for (const NodePtr& statement : node.children) {
    SPECINFER_ASSIGN_OR_RETURN(Flow flow, Execute(*statement));
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Evaluator::FlowOr Evaluator::ExecuteIf(const Node& node) {
  size_t i = 0;
  for (; i + 1 < node.children.size(); i += 2) {
    SPECINFER_ASSIGN_OR_RETURN(Value condition, Evaluate(*node.children[i]));
    if (IsTrue(condition)) return Execute(*node.children[i + 1]);
  }
  return i < node.children.size() ? Execute(*node.children[i])
                                  : FlowOr(Flow::kNext);
}

// The items of a loop that pass its condition.
absl::StatusOr<List> Evaluator::Filtered(const Node& node, const List& items) {
  SPECINFER_ASSIGN_OR_RETURN(Scope * scope, arena_.NewScope(scope_));
  ScopeChange change(*this, scope);
  List passed;
  for (const Value& item : items) {
    SPECINFER_RETURN_IF_ERROR(Assign(*node.children[0], item));
    SPECINFER_ASSIGN_OR_RETURN(Value passes, Evaluate(*node.children[2]));
    if (IsTrue(passes)) passed.push_back(item);
  }
  return passed;
}

Evaluator::FlowOr Evaluator::ExecuteFor(const Node& node) {
  SPECINFER_ASSIGN_OR_RETURN(Value iterated, Evaluate(*node.children[1]));
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena_, iterated));
  if (node.children[2] != nullptr) {
    SPECINFER_ASSIGN_OR_RETURN(List passed, Filtered(node, *items));
    SPECINFER_ASSIGN_OR_RETURN(Value list, arena_.NewList(std::move(passed)));
    items = &list.list();
  }
  SPECINFER_ASSIGN_OR_RETURN(Scope * scope, arena_.NewScope(scope_));
  ScopeChange change(*this, scope);
  if (items->empty() && node.children[4] != nullptr)
    return Execute(*node.children[4]);
  SPECINFER_ASSIGN_OR_RETURN(Loop * loop, arena_.NewLoop(items));
  for (; loop->index < items->size(); ++loop->index) {
    scope->names.clear();
    scope->names["loop"] = Value::Handle(ValueKind::kLoop, loop);
    SPECINFER_RETURN_IF_ERROR(Assign(*node.children[0], (*items)[loop->index]));
    SPECINFER_ASSIGN_OR_RETURN(Flow flow, Execute(*node.children[3]));
    if (flow == Flow::kBreak) break;
  }
  return Flow::kNext;
}

Evaluator::FlowOr Evaluator::ExecuteWith(const Node& node) {
  SPECINFER_ASSIGN_OR_RETURN(Scope * scope, arena_.NewScope(scope_));
  for (size_t i = 0; i + 1 < node.children.size(); i += 2) {
    SPECINFER_ASSIGN_OR_RETURN(Value value, Evaluate(*node.children[i + 1]));
    scope->names[node.children[i]->text] = value;
  }
  ScopeChange change(*this, scope);
  return Execute(*node.children.back());
}

absl::Status Evaluator::Assign(const Node& target, const Value& value) {
  if (target.kind == NodeKind::kName) {
    SPECINFER_RETURN_IF_ERROR(arena_.Charge(2 * sizeof(Value)));
    scope_->names[target.text] = value;
    return absl::OkStatus();
  }
  if (target.kind == NodeKind::kAttribute) {
    const std::string& name = target.children[0]->text;
    const Value* object = FindName(name);
    if (object == nullptr || !object->is(ValueKind::kNamespace)) {
      return absl::InvalidArgumentError(
          Cat("\"", name, "\" is no namespace, so \"", name, ".", target.text,
              "\" cannot be set"));
    }
    return SetKey(arena_, object->dict(), Value::String(target.text), value);
  }
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena_, value));
  if (items->size() != target.children.size()) {
    return absl::InvalidArgumentError(Cat(target.children.size(),
                                          " names are set from ", items->size(),
                                          " values"));
  }
  for (size_t i = 0; i < items->size(); ++i)
    SPECINFER_RETURN_IF_ERROR(Assign(*target.children[i], (*items)[i]));
  return absl::OkStatus();
}

absl::Status Evaluator::ExecuteSet(const Node& node) {
  SPECINFER_ASSIGN_OR_RETURN(Value value, Evaluate(*node.children[1]));
  return Assign(*node.children[0], value);
}

Evaluator::ValueOr Evaluator::Capture(const Node& body, Scope* outer) {
  SPECINFER_ASSIGN_OR_RETURN(Scope * scope, arena_.NewScope(outer));
  ScopeChange change(*this, scope);
  std::string text;
  std::string* outer_out = std::exchange(out_, &text);
  absl::Status status = Execute(body).status();
  out_ = outer_out;
  SPECINFER_RETURN_IF_ERROR(status);
  return arena_.NewString(std::move(text));
}

absl::Status Evaluator::ExecuteSetBlock(const Node& node) {
  SPECINFER_ASSIGN_OR_RETURN(Value text, Capture(*node.children[2], scope_));
  if (node.children[1] != nullptr) {
    captured_ = text;
    SPECINFER_ASSIGN_OR_RETURN(text, Evaluate(*node.children[1]));
  }
  return Assign(*node.children[0], text);
}

absl::Status Evaluator::ExecuteCallBlock(const Node& node) {
  const Node& call = *node.children[0];
  SPECINFER_ASSIGN_OR_RETURN(Value callee, Evaluate(*call.children[0]));
  SPECINFER_ASSIGN_OR_RETURN(Arguments arguments, EvaluateArguments(call));
  SPECINFER_ASSIGN_OR_RETURN(Value caller, arena_.NewMacro(&node, scope_));
  arguments.named.emplace_back("caller", caller);
  SPECINFER_ASSIGN_OR_RETURN(Value result, Call(callee, arguments));
  SPECINFER_ASSIGN_OR_RETURN(std::string_view text, ToText(arena_, result));
  return Write(text);
}

absl::Status Evaluator::ExecuteFilterBlock(const Node& node) {
  SPECINFER_ASSIGN_OR_RETURN(captured_, Capture(*node.children[1], scope_));
  SPECINFER_ASSIGN_OR_RETURN(Value filtered, Evaluate(*node.children[0]));
  SPECINFER_ASSIGN_OR_RETURN(std::string_view text, ToText(arena_, filtered));
  return Write(text);
}

}  // namespace specinfer::jinja
