// Owns what one rendering makes and counts what it costs: templates are
// untrusted, so steps, bytes and depth are bounded.
#ifndef SPECINFER_SRC_TEXT_JINJA_ARENA_H_
#define SPECINFER_SRC_TEXT_JINJA_ARENA_H_

#include <stddef.h>
#include <stdint.h>

#include <deque>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/text/jinja_value.h"

namespace specinfer::jinja {

inline constexpr int64_t kMaxSteps = 10'000'000;
inline constexpr size_t kMaxArenaBytes = size_t{128} << 20;
inline constexpr size_t kMaxOutputBytes = size_t{16} << 20;
inline constexpr int64_t kMaxRange = 100'000;
// Levels of evaluation inside evaluation (expressions, statements, macros,
// nested values).
inline constexpr int kMaxEvaluationDepth = 400;
// Levels of nesting in the source.
inline constexpr int kMaxNesting = 64;
// Levels of nesting of values in the JSON inputs.
inline constexpr int kMaxJsonDepth = 100;

class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Pays for `num_steps` units of work.
  absl::Status Step(int64_t num_steps = 1);
  // Pays for looking at `num_bytes` of text.
  absl::Status StepOver(size_t num_bytes) {
    return Step(1 + static_cast<int64_t>(num_bytes / 64));
  }
  // Pays for memory; call it before making anything whose size a template
  // chooses.
  absl::Status Charge(size_t num_bytes);

  absl::StatusOr<Value> NewString(std::string text);
  absl::StatusOr<Value> NewList(List items, ValueKind kind = ValueKind::kList);
  absl::StatusOr<Value> NewIterator(List items);
  absl::StatusOr<Value> NewMethod(const Value& receiver, std::string_view name);
  absl::StatusOr<Value> NewCycler(List items, ValueKind kind);
  absl::StatusOr<Value> NewMacro(const Node* definition, Scope* scope);
  absl::StatusOr<Dict*> NewDict();
  absl::StatusOr<Loop*> NewLoop(const List* items);
  absl::StatusOr<Scope*> NewScope(Scope* outer);

  int depth = 0;

 private:
  int64_t num_steps_ = 0;
  size_t num_bytes_ = 0;
  std::deque<std::string> strings_;
  std::deque<List> lists_;
  std::deque<Dict> dicts_;
  std::deque<Iterator> iterators_;
  std::deque<Loop> loops_;
  std::deque<Scope> scopes_;
  std::deque<Macro> macros_;
  std::deque<Method> methods_;
  std::deque<Cycler> cyclers_;
};

// One level deeper while it lives; ok() is false when that is one too many.
class DepthGuard {
 public:
  explicit DepthGuard(Arena& arena) : arena_(arena) { ++arena_.depth; }
  ~DepthGuard() { --arena_.depth; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

  bool ok() const { return arena_.depth <= kMaxEvaluationDepth; }
  absl::Status status() const;

 private:
  Arena& arena_;
};

}  // namespace specinfer::jinja

#endif  // SPECINFER_SRC_TEXT_JINJA_ARENA_H_
