// Runs the tree of a template once, against the variables of one conversation.
#ifndef SPECINFER_SRC_TEXT_JINJA_EVALUATOR_H_
#define SPECINFER_SRC_TEXT_JINJA_EVALUATOR_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/text/jinja_arena.h"
#include "src/text/jinja_ast.h"
#include "src/text/jinja_lexer.h"
#include "src/text/jinja_value.h"

namespace specinfer::jinja {

// Lives for one rendering, on one thread; the tree and the arena outlive it.
class Evaluator {
 public:
  // `variables` is the outermost scope; `date` is what strftime_now tells.
  Evaluator(Arena& arena, Scope* variables, std::string_view date)
      : arena_(arena), scope_(variables), date_(date) {}

  absl::StatusOr<std::string> Render(const Node& body);

 private:
  enum class Flow { kNext, kBreak, kContinue };
  class ScopeChange;
  using FlowOr = absl::StatusOr<Flow>;
  using ValueOr = absl::StatusOr<Value>;

  // Statements (jinja_evaluator.cc).
  FlowOr Execute(const Node& node);
  FlowOr Dispatch(const Node& node);
  FlowOr ExecuteBody(const Node& node);
  FlowOr ExecuteIf(const Node& node);
  FlowOr ExecuteFor(const Node& node);
  FlowOr ExecuteWith(const Node& node);
  absl::Status ExecuteSet(const Node& node);
  absl::Status ExecuteSetBlock(const Node& node);
  absl::Status ExecuteCallBlock(const Node& node);
  absl::Status ExecuteFilterBlock(const Node& node);
  absl::StatusOr<List> Filtered(const Node& node, const List& items);
  absl::Status Assign(const Node& target, const Value& value);
  // Runs a body in a scope of its own and returns what it wrote.
  ValueOr Capture(const Node& body, Scope* outer);
  absl::Status Write(std::string_view text);

  // Expressions (jinja_expressions.cc).
  ValueOr Evaluate(const Node& node);
  ValueOr DispatchExpression(const Node& node);
  ValueOr EvaluateName(const Node& node);
  ValueOr EvaluateItems(const Node& node);
  ValueOr EvaluateDict(const Node& node);
  ValueOr EvaluateItem(const Node& node);
  ValueOr EvaluateCall(const Node& node);
  ValueOr EvaluateFilter(const Node& node);
  ValueOr EvaluateTest(const Node& node);
  ValueOr EvaluateUnary(const Node& node);
  ValueOr EvaluateLogic(const Node& node);
  ValueOr EvaluateBinary(const Node& node);
  ValueOr EvaluateConcat(const Node& node);
  ValueOr EvaluateCompare(const Node& node);
  ValueOr EvaluateConditional(const Node& node);
  absl::StatusOr<bool> Compare(Comparison comparison, const Value& left,
                               const Value& right);
  absl::StatusOr<Arguments> EvaluateArguments(const Node& node);
  ValueOr Call(const Value& callee, const Arguments& arguments);
  ValueOr CallMacro(const Macro& macro, const Arguments& arguments);
  absl::Status BindParameters(const Node& macro, const Arguments& arguments);
  const Value* FindName(std::string_view name) const;

  Arena& arena_;
  Scope* scope_;
  std::string_view date_;
  std::string* out_ = nullptr;
  Value captured_;
};

// Makes `scope` current while it lives.
class Evaluator::ScopeChange {
 public:
  ScopeChange(Evaluator& evaluator, Scope* scope)
      : evaluator_(evaluator), outer_(evaluator.scope_) {
    evaluator_.scope_ = scope;
  }
  ~ScopeChange() { evaluator_.scope_ = outer_; }
  ScopeChange(const ScopeChange&) = delete;
  ScopeChange& operator=(const ScopeChange&) = delete;

 private:
  Evaluator& evaluator_;
  Scope* outer_;
};

}  // namespace specinfer::jinja

#endif  // SPECINFER_SRC_TEXT_JINJA_EVALUATOR_H_
