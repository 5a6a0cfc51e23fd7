// The values a chat template computes with: small handles into the arena of one
// rendering, so copying one is free and nothing outlives the rendering. All
// strings are valid UTF-8.
#ifndef SPECINFER_SRC_TEXT_JINJA_VALUE_H_
#define SPECINFER_SRC_TEXT_JINJA_VALUE_H_

#include <stddef.h>
#include <stdint.h>

#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

namespace specinfer::jinja {

struct Node;
struct Dict;
struct Iterator;
struct Loop;
struct Macro;
struct Method;
struct Cycler;
class Arena;
class Value;

using List = std::vector<Value>;

enum class ValueKind : uint8_t {
  kMissing,  // an argument that was not given; never seen by a template
  kUndefined,
  kNone,
  kBool,
  kInteger,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kNamespace,
  kIterator,  // what Python calls a generator: always true, no length, gives
              // its items once
  kLoop,
  kMacro,
  kFunction,  // a built-in; `text` is its name
  kMethod,
  kCycler,
  kJoiner,
};

class Value {
 public:
  Value() : kind_(ValueKind::kMissing), integer_(0) {}
  // `name` must outlive the rendering: it is quoted when the undefined value is
  // used.
  static Value Undefined(std::string_view name = {}) {
    return Text(ValueKind::kUndefined, name);
  }
  static Value None() { return Value(ValueKind::kNone); }
  static Value Bool(bool value) { return Integer(ValueKind::kBool, value); }
  static Value Integer(int64_t value) {
    return Integer(ValueKind::kInteger, value);
  }
  static Value Float(double value);
  static Value String(std::string_view text) {
    return Text(ValueKind::kString, text);
  }
  static Value Function(std::string_view name) {
    return Text(ValueKind::kFunction, name);
  }
  // A handle of `kind` to an object of the arena.
  template <typename Object>
  static Value Handle(ValueKind kind, Object* object) {
    Value value(kind);
    value.object_ = object;
    return value;
  }

  ValueKind kind() const { return kind_; }
  bool is(ValueKind kind) const { return kind_ == kind; }
  bool is_string() const { return kind_ == ValueKind::kString; }
  bool is_undefined() const { return kind_ == ValueKind::kUndefined; }
  bool is_none() const { return kind_ == ValueKind::kNone; }
  bool is_missing() const { return kind_ == ValueKind::kMissing; }
  bool is_integer() const {
    return kind_ == ValueKind::kInteger || kind_ == ValueKind::kBool;
  }
  bool is_number() const { return is_integer() || kind_ == ValueKind::kFloat; }
  bool is_list() const {
    return kind_ == ValueKind::kList || kind_ == ValueKind::kTuple;
  }
  // True for text that counts as escaped HTML: adding plain text to it escapes
  // the plain text.
  bool is_markup() const { return is_markup_; }
  Value AsMarkup() const;

  // REQUIRES: the kind fits.
  int64_t integer() const { return integer_; }
  double number() const {
    return kind_ == ValueKind::kFloat ? float_ : static_cast<double>(integer_);
  }
  std::string_view text() const { return {text_, text_bytes_}; }
  const List& list() const { return *static_cast<const List*>(object_); }
  Dict& dict() const { return *static_cast<Dict*>(object_); }
  Iterator& iterator() const { return *static_cast<Iterator*>(object_); }
  Loop& loop() const { return *static_cast<Loop*>(object_); }
  Macro& macro() const { return *static_cast<Macro*>(object_); }
  Method& method() const { return *static_cast<Method*>(object_); }
  Cycler& cycler() const { return *static_cast<Cycler*>(object_); }
  const void* object() const { return object_; }

 private:
  explicit Value(ValueKind kind) : kind_(kind), integer_(0) {}
  static Value Integer(ValueKind kind, int64_t value);
  static Value Text(ValueKind kind, std::string_view text);

  ValueKind kind_;
  bool is_markup_ = false;
  size_t text_bytes_ = 0;
  union {
    int64_t integer_;
    double float_;
    const char* text_;
    void* object_;
  };
};

// Keeps insertion order. Keys are strings, numbers, none or tuples, and differ
// pairwise.
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  absl::flat_hash_map<std::string_view, size_t> string_keys;

  // The value under a string key, or null.
  const Value* Find(std::string_view key) const;
  void Set(std::string_view key, Value value);
};

struct Iterator {
  const List* items;
  bool is_consumed = false;
};

struct Loop {
  const List* items;
  size_t index = 0;
  size_t depth = 1;
  Value last_changed = {};
};

struct Scope {
  Scope* outer = nullptr;
  absl::flat_hash_map<std::string_view, Value> names;
};

struct Macro {
  const Node* definition;
  Scope* scope;
};

struct Method {
  Value receiver;
  std::string_view name;
};

// cycler(...) and joiner(...): the only difference is when `next` moves.
struct Cycler {
  List items;
  size_t next = 0;
};

// What a call was given.
struct Arguments {
  List positional;
  std::vector<std::pair<std::string_view, Value>> named;
};

bool IsTrue(const Value& value);

// Python's name of the value's type, for messages.
std::string_view TypeName(const Value& value);

// Python's ==; fails only when the budget ends.
absl::StatusOr<bool> Equal(Arena& arena, const Value& a, const Value& b);

// Python's < ; an error where Python would raise.
absl::StatusOr<bool> Less(Arena& arena, const Value& a, const Value& b);

// Looks a key of any kind up; null when absent.
absl::StatusOr<const Value*> FindKey(Arena& arena, const Dict& dict,
                                     const Value& key);
absl::Status SetKey(Arena& arena, Dict& dict, const Value& key,
                    const Value& value);

// What a for loop would visit, as a list; consumes an iterator. An error for
// what cannot be iterated.
absl::StatusOr<const List*> Iterate(Arena& arena, const Value& value);

// The items sorted by `keys` (same length), stable.
absl::StatusOr<List> SortByKeys(Arena& arena, const List& items,
                                const List& keys, bool is_reversed);

}  // namespace specinfer::jinja

#endif  // SPECINFER_SRC_TEXT_JINJA_VALUE_H_
