#include "src/text/jinja_value.h"

#include <algorithm>

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/text/jinja_arena.h"
#include "src/text/jinja_unicode.h"

namespace specinfer::jinja {
namespace {

absl::StatusOr<bool> EqualLists(Arena& arena, const List& a, const List& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    SPECINFER_ASSIGN_OR_RETURN(bool is_equal, Equal(arena, a[i], b[i]));
    if (!is_equal) return false;
  }
  return true;
}

absl::StatusOr<bool> EqualDicts(Arena& arena, const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    SPECINFER_ASSIGN_OR_RETURN(const Value* other, FindKey(arena, b, key));
    if (other == nullptr) return false;
    SPECINFER_ASSIGN_OR_RETURN(bool is_equal, Equal(arena, value, *other));
    if (!is_equal) return false;
  }
  return true;
}

bool IsHashable(const Value& value) {
  if (value.is(ValueKind::kTuple))
    return std::all_of(value.list().begin(), value.list().end(), IsHashable);
  return value.is_string() || value.is_number() || value.is_none();
}

// A float compares with an integer exactly, not after rounding the integer.
bool EqualNumbers(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) return a.integer() == b.integer();
  return a.number() == b.number();
}

}  // namespace

Value Value::Float(double number) {
  Value value(ValueKind::kFloat);
  value.float_ = number;
  return value;
}

Value Value::Integer(ValueKind kind, int64_t integer) {
  Value value(kind);
  value.integer_ = integer;
  return value;
}

Value Value::Text(ValueKind kind, std::string_view text) {
  Value value(kind);
  value.text_ = text.data();
  value.text_bytes_ = text.size();
  return value;
}

Value Value::AsMarkup() const {
  Value value = *this;
  value.is_markup_ = true;
  return value;
}

const Value* Dict::Find(std::string_view key) const {
  auto it = string_keys.find(key);
  return it == string_keys.end() ? nullptr : &entries[it->second].second;
}

void Dict::Set(std::string_view key, Value value) {
  auto [it, is_new] = string_keys.try_emplace(key, entries.size());
  if (is_new) {
    entries.emplace_back(Value::String(key), value);
  } else {
    entries[it->second].second = value;
  }
}

bool IsTrue(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kMissing:
    case ValueKind::kUndefined:
    case ValueKind::kNone:
      return false;
    case ValueKind::kBool:
    case ValueKind::kInteger:
      return value.integer() != 0;
    case ValueKind::kFloat:
      return value.number() != 0.0;
    case ValueKind::kString:
      return !value.text().empty();
    case ValueKind::kList:
    case ValueKind::kTuple:
      return !value.list().empty();
    case ValueKind::kDict:
      return !value.dict().entries.empty();
    default:
      return true;
  }
}

std::string_view TypeName(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kMissing:
    case ValueKind::kUndefined:
      return "Undefined";
    case ValueKind::kNone:
      return "None";
    case ValueKind::kBool:
      return "bool";
    case ValueKind::kInteger:
      return "int";
    case ValueKind::kFloat:
      return "float";
    case ValueKind::kString:
      return "str";
    case ValueKind::kList:
      return "list";
    case ValueKind::kTuple:
      return "tuple";
    case ValueKind::kDict:
      return "dict";
    case ValueKind::kNamespace:
      return "Namespace";
    case ValueKind::kIterator:
      return "generator";
    case ValueKind::kLoop:
      return "LoopContext";
    case ValueKind::kMacro:
      return "Macro";
    case ValueKind::kFunction:
    case ValueKind::kMethod:
      return "function";
    case ValueKind::kCycler:
      return "Cycler";
    case ValueKind::kJoiner:
      return "Joiner";
  }
  return "object";
}

absl::StatusOr<bool> Equal(Arena& arena, const Value& a, const Value& b) {
  SPECINFER_RETURN_IF_ERROR(arena.Step());
  if (a.is_number() && b.is_number()) return EqualNumbers(a, b);
  if (a.kind() != b.kind()) return false;
  DepthGuard guard(arena);
  if (!guard.ok()) return guard.status();
  switch (a.kind()) {
    case ValueKind::kUndefined:
    case ValueKind::kNone:
    case ValueKind::kMissing:
      return true;
    case ValueKind::kString:
      SPECINFER_RETURN_IF_ERROR(
          arena.StepOver(std::min(a.text().size(), b.text().size())));
      return a.text() == b.text();
    case ValueKind::kFunction:
      return a.text() == b.text();
    case ValueKind::kList:
    case ValueKind::kTuple:
      return EqualLists(arena, a.list(), b.list());
    case ValueKind::kDict:
      return EqualDicts(arena, a.dict(), b.dict());
    default:
      return a.object() == b.object();
  }
}

absl::StatusOr<bool> Less(Arena& arena, const Value& a, const Value& b) {
  SPECINFER_RETURN_IF_ERROR(arena.Step());
  if (a.is_integer() && b.is_integer()) return a.integer() < b.integer();
  if (a.is_number() && b.is_number()) return a.number() < b.number();
  if (a.is_string() && b.is_string()) {
    SPECINFER_RETURN_IF_ERROR(
        arena.StepOver(std::min(a.text().size(), b.text().size())));
    return a.text() < b.text();  // byte order of UTF-8 is code point order
  }
  if (!a.is_list() || a.kind() != b.kind()) {
    return absl::InvalidArgumentError(
        Cat("cannot compare ", TypeName(a), " with ", TypeName(b)));
  }
  DepthGuard guard(arena);
  if (!guard.ok()) return guard.status();
  for (size_t i = 0; i < a.list().size() && i < b.list().size(); ++i) {
    SPECINFER_ASSIGN_OR_RETURN(bool is_equal,
                               Equal(arena, a.list()[i], b.list()[i]));
    if (!is_equal) return Less(arena, a.list()[i], b.list()[i]);
  }
  return a.list().size() < b.list().size();
}

absl::StatusOr<const Value*> FindKey(Arena& arena, const Dict& dict,
                                     const Value& key) {
  if (key.is_string()) {
    SPECINFER_RETURN_IF_ERROR(arena.StepOver(key.text().size()));
    return dict.Find(key.text());
  }
  if (!IsHashable(key))
    return absl::InvalidArgumentError(
        Cat(TypeName(key), " cannot be the key of a dict"));
  for (const auto& [known, value] : dict.entries) {
    SPECINFER_ASSIGN_OR_RETURN(bool is_equal, Equal(arena, known, key));
    if (is_equal) return &value;
  }
  return nullptr;
}

absl::Status SetKey(Arena& arena, Dict& dict, const Value& key,
                    const Value& value) {
  SPECINFER_RETURN_IF_ERROR(arena.Charge(4 * sizeof(Value)));
  if (key.is_string()) {
    SPECINFER_RETURN_IF_ERROR(arena.StepOver(key.text().size()));
    dict.Set(key.text(), value);
    return absl::OkStatus();
  }
  SPECINFER_ASSIGN_OR_RETURN(const Value* known, FindKey(arena, dict, key));
  if (known == nullptr) {
    dict.entries.emplace_back(key, value);
  } else {
    *const_cast<Value*>(known) = value;
  }
  return absl::OkStatus();
}

absl::StatusOr<const List*> Iterate(Arena& arena, const Value& value) {
  List items;
  switch (value.kind()) {
    case ValueKind::kList:
    case ValueKind::kTuple:
      return &value.list();
    case ValueKind::kUndefined:
      break;
    case ValueKind::kDict:
      SPECINFER_RETURN_IF_ERROR(
          arena.Step(static_cast<int64_t>(value.dict().entries.size())));
      for (const auto& entry : value.dict().entries)
        items.push_back(entry.first);
      break;
    case ValueKind::kString:
      SPECINFER_RETURN_IF_ERROR(
          arena.Step(static_cast<int64_t>(value.text().size())));
      for (size_t begin = 0; begin < value.text().size();) {
        size_t end = begin + CodePointBytes(value.text()[begin]);
        items.push_back(Value::String(value.text().substr(begin, end - begin)));
        begin = end;
      }
      break;
    case ValueKind::kIterator: {
      Iterator& iterator = value.iterator();
      if (iterator.is_consumed) break;
      iterator.is_consumed = true;
      return iterator.items;
    }
    default:
      return absl::InvalidArgumentError(
          Cat(TypeName(value), " cannot be iterated"));
  }
  SPECINFER_ASSIGN_OR_RETURN(Value list, arena.NewList(std::move(items)));
  return &list.list();
}

// A merge sort of our own, because a comparison can fail.
absl::StatusOr<List> SortByKeys(Arena& arena, const List& items,
                                const List& keys, bool is_reversed) {
  size_t num_items = items.size();
  std::vector<size_t> order(num_items), merged(num_items);
  for (size_t i = 0; i < num_items; ++i) order[i] = i;
  for (size_t width = 1; width < num_items; width *= 2) {
    for (size_t begin = 0; begin < num_items; begin += 2 * width) {
      size_t middle = std::min(begin + width, num_items),
             end = std::min(begin + 2 * width, num_items);
      size_t left = begin, right = middle;
      for (size_t out = begin; out < end; ++out) {
        bool takes_right = left == middle;
        if (!takes_right && right < end) {
          // Reversing keeps the order of equal items, as Python's does.
          const Value& a = keys[order[is_reversed ? left : right]];
          const Value& b = keys[order[is_reversed ? right : left]];
          SPECINFER_ASSIGN_OR_RETURN(takes_right, Less(arena, a, b));
        }
        merged[out] = takes_right ? order[right++] : order[left++];
      }
    }
    order.swap(merged);
  }
  List sorted;
  sorted.reserve(num_items);
  for (size_t i : order) sorted.push_back(items[i]);
  return sorted;
}

}  // namespace specinfer::jinja
