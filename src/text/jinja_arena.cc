#include "src/text/jinja_arena.h"

#include <utility>

#include "src/base/status_macros.h"
#include "src/base/text.h"

namespace specinfer::jinja {
namespace {

// What an object costs beside its elements: the object, its place in the deque,
// the allocator's overhead.
constexpr size_t kObjectBytes = 96;

}  // namespace

absl::Status Arena::Step(int64_t num_steps) {
  num_steps_ += num_steps;
  if (num_steps_ <= kMaxSteps) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      Cat("rendering takes more than ", kMaxSteps, " steps"));
}

absl::Status Arena::Charge(size_t num_bytes) {
  if (num_bytes > kMaxArenaBytes || num_bytes_ + num_bytes > kMaxArenaBytes) {
    return absl::ResourceExhaustedError(
        Cat("rendering takes more than ", kMaxArenaBytes >> 20, " MiB"));
  }
  num_bytes_ += num_bytes;
  return absl::OkStatus();
}

absl::StatusOr<Value> Arena::NewString(std::string text) {
  SPECINFER_RETURN_IF_ERROR(Charge(kObjectBytes + text.size()));
  return Value::String(strings_.emplace_back(std::move(text)));
}

absl::StatusOr<Value> Arena::NewList(List items, ValueKind kind) {
  SPECINFER_RETURN_IF_ERROR(
      Charge(kObjectBytes + items.size() * sizeof(Value)));
  return Value::Handle(kind, &lists_.emplace_back(std::move(items)));
}

absl::StatusOr<Value> Arena::NewIterator(List items) {
  SPECINFER_ASSIGN_OR_RETURN(Value list, NewList(std::move(items)));
  SPECINFER_RETURN_IF_ERROR(Charge(kObjectBytes));
  return Value::Handle(ValueKind::kIterator,
                       &iterators_.emplace_back(Iterator{&list.list()}));
}

absl::StatusOr<Value> Arena::NewMethod(const Value& receiver,
                                       std::string_view name) {
  SPECINFER_RETURN_IF_ERROR(Charge(kObjectBytes));
  return Value::Handle(ValueKind::kMethod,
                       &methods_.emplace_back(Method{receiver, name}));
}

absl::StatusOr<Value> Arena::NewCycler(List items, ValueKind kind) {
  SPECINFER_RETURN_IF_ERROR(
      Charge(kObjectBytes + items.size() * sizeof(Value)));
  return Value::Handle(kind, &cyclers_.emplace_back(Cycler{std::move(items)}));
}

absl::StatusOr<Value> Arena::NewMacro(const Node* definition, Scope* scope) {
  SPECINFER_RETURN_IF_ERROR(Charge(kObjectBytes));
  return Value::Handle(ValueKind::kMacro,
                       &macros_.emplace_back(Macro{definition, scope}));
}

absl::StatusOr<Dict*> Arena::NewDict() {
  SPECINFER_RETURN_IF_ERROR(Charge(kObjectBytes));
  return &dicts_.emplace_back();
}

absl::StatusOr<Loop*> Arena::NewLoop(const List* items) {
  SPECINFER_RETURN_IF_ERROR(Charge(kObjectBytes));
  return &loops_.emplace_back(Loop{items});
}

absl::StatusOr<Scope*> Arena::NewScope(Scope* outer) {
  SPECINFER_RETURN_IF_ERROR(Charge(kObjectBytes));
  return &scopes_.emplace_back(Scope{outer, {}});
}

absl::Status DepthGuard::status() const {
  return absl::ResourceExhaustedError(
      Cat("nesting is deeper than ", kMaxEvaluationDepth, " levels"));
}

}  // namespace specinfer::jinja
