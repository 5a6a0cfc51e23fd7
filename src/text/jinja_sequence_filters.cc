// Filters whose operand is a sequence or a mapping.
#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "src/base/status_macros.h"
#include "src/text/jinja_builtins.h"
#include "src/text/jinja_operators.h"
#include "src/text/jinja_print.h"
#include "src/text/jinja_unicode.h"

namespace specinfer::jinja {
namespace {

using ValueOr = absl::StatusOr<Value>;

// What `attribute="a.b.0"` finds in an item; missing stands for the item
// itself.
ValueOr FindPath(Arena& arena, Value item, const Value& path,
                 const Value& otherwise = Value()) {
  if (path.is_missing() || path.is_none()) return item;
  if (!path.is_string()) return GetItem(arena, item, path);
  std::string_view rest = path.text();
  while (true) {
    size_t dot = rest.find('.');
    std::string_view part = rest.substr(0, dot);
    int64_t index = 0;
    bool is_index =
        !part.empty() && part[0] != '-' &&
        std::from_chars(part.data(), part.data() + part.size(), index).ptr ==
            part.data() + part.size();
    SPECINFER_ASSIGN_OR_RETURN(
        item, GetItem(arena, item,
                      is_index ? Value::Integer(index) : Value::String(part)));
    if (item.is_undefined() && !otherwise.is_missing() && !otherwise.is_none())
      item = otherwise;
    if (dot == std::string_view::npos) return item;
    rest.remove_prefix(dot + 1);
  }
}

ValueOr FoldCase(Arena& arena, const Value& value, bool is_case_sensitive) {
  if (!value.is_string() || is_case_sensitive) return value;
  SPECINFER_RETURN_IF_ERROR(arena.StepOver(value.text().size()));
  return arena.NewString(Lower(value.text()));
}

absl::StatusOr<List> KeysOf(Arena& arena, const List& items, const Value& path,
                            bool is_case_sensitive) {
  List keys;
  for (const Value& item : items) {
    SPECINFER_RETURN_IF_ERROR(arena.Step());
    SPECINFER_ASSIGN_OR_RETURN(Value key, FindPath(arena, item, path));
    SPECINFER_ASSIGN_OR_RETURN(key, FoldCase(arena, key, is_case_sensitive));
    keys.push_back(key);
  }
  return keys;
}

ValueOr FilterFirst(Arena& arena, const Value& operand,
                    const Arguments& arguments) {
  SPECINFER_RETURN_IF_ERROR(Bind(arguments, {}).status());
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena, operand));
  return items->empty() ? Value::Undefined("the first item of nothing")
                        : items->front();
}

ValueOr FilterLast(Arena& arena, const Value& operand,
                   const Arguments& arguments) {
  SPECINFER_RETURN_IF_ERROR(Bind(arguments, {}).status());
  if (operand.is(ValueKind::kIterator))
    return absl::InvalidArgumentError("a generator has no last item");
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena, operand));
  return items->empty() ? Value::Undefined("the last item of nothing")
                        : items->back();
}

ValueOr FilterList(Arena& arena, const Value& operand,
                   const Arguments& arguments) {
  SPECINFER_RETURN_IF_ERROR(Bind(arguments, {}).status());
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena, operand));
  SPECINFER_RETURN_IF_ERROR(arena.Step(static_cast<int64_t>(items->size())));
  return arena.NewList(*items);
}

ValueOr FilterReverse(Arena& arena, const Value& operand,
                      const Arguments& arguments) {
  SPECINFER_RETURN_IF_ERROR(Bind(arguments, {}).status());
  if (operand.is_string())
    return GetSlice(arena, operand, Value(), Value(), Value::Integer(-1));
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena, operand));
  SPECINFER_RETURN_IF_ERROR(arena.Step(static_cast<int64_t>(items->size())));
  List reversed(items->rbegin(), items->rend());
  if (operand.is(ValueKind::kIterator))
    return arena.NewList(std::move(reversed));
  return arena.NewIterator(std::move(reversed));
}

ValueOr FilterJoin(Arena& arena, const Value& operand,
                   const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound, Bind(arguments, {"d", "attribute"}));
  SPECINFER_ASSIGN_OR_RETURN(
      std::string_view separator,
      ToText(arena, bound[0].is_missing() ? Value::String("") : bound[0]));
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena, operand));
  std::string text;
  for (size_t i = 0; i < items->size(); ++i) {
    SPECINFER_RETURN_IF_ERROR(arena.StepOver(separator.size()));
    if (i > 0) text += separator;
    SPECINFER_ASSIGN_OR_RETURN(Value item,
                               FindPath(arena, (*items)[i], bound[1]));
    SPECINFER_RETURN_IF_ERROR(AppendStr(arena, item, text));
  }
  return arena.NewString(std::move(text));
}

ValueOr FilterItems(Arena& arena, const Value& operand,
                    const Arguments& arguments) {
  SPECINFER_RETURN_IF_ERROR(Bind(arguments, {}).status());
  if (operand.is_undefined()) return arena.NewIterator({});
  if (!operand.is(ValueKind::kDict))
    return absl::InvalidArgumentError("items needs a dict");
  List pairs;
  for (const auto& [key, value] : operand.dict().entries) {
    SPECINFER_RETURN_IF_ERROR(arena.Step());
    SPECINFER_ASSIGN_OR_RETURN(Value pair,
                               arena.NewList({key, value}, ValueKind::kTuple));
    pairs.push_back(pair);
  }
  return arena.NewIterator(std::move(pairs));
}

ValueOr FilterDictSort(Arena& arena, const Value& operand,
                       const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(
      List bound, Bind(arguments, {"case_sensitive", "by", "reverse"}));
  bool by_value = bound[1].is_string() && bound[1].text() == "value";
  if (!by_value && !bound[1].is_missing() &&
      !(bound[1].is_string() && bound[1].text() == "key")) {
    return absl::InvalidArgumentError("dictsort sorts by \"key\" or \"value\"");
  }
  if (!operand.is(ValueKind::kDict))
    return absl::InvalidArgumentError("dictsort needs a dict");
  SPECINFER_ASSIGN_OR_RETURN(Value pairs, FilterItems(arena, operand, {}));
  const List& items = *pairs.iterator().items;
  SPECINFER_ASSIGN_OR_RETURN(
      List keys,
      KeysOf(arena, items, Value::Integer(by_value), TrueOr(bound[0], false)));
  SPECINFER_ASSIGN_OR_RETURN(
      List sorted, SortByKeys(arena, items, keys, TrueOr(bound[2], false)));
  return arena.NewList(std::move(sorted));
}

ValueOr FilterSort(Arena& arena, const Value& operand,
                   const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(
      List bound, Bind(arguments, {"reverse", "case_sensitive", "attribute"}));
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena, operand));
  bool is_case_sensitive = TrueOr(bound[1], false);
  List keys;
  if (bound[2].is_string() &&
      bound[2].text().find(',') != std::string_view::npos) {
    for (const Value& item : *items) {
      List parts;
      for (std::string_view rest = bound[2].text(); !rest.empty();) {
        std::string_view path = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), path.size() + 1));
        SPECINFER_ASSIGN_OR_RETURN(Value part,
                                   FindPath(arena, item, Value::String(path)));
        SPECINFER_ASSIGN_OR_RETURN(part,
                                   FoldCase(arena, part, is_case_sensitive));
        parts.push_back(part);
      }
      SPECINFER_ASSIGN_OR_RETURN(Value key, arena.NewList(std::move(parts)));
      keys.push_back(key);
    }
  } else {
    SPECINFER_ASSIGN_OR_RETURN(
        keys, KeysOf(arena, *items, bound[2], is_case_sensitive));
  }
  SPECINFER_ASSIGN_OR_RETURN(
      List sorted, SortByKeys(arena, *items, keys, TrueOr(bound[0], false)));
  return arena.NewList(std::move(sorted));
}

ValueOr FilterUnique(Arena& arena, const Value& operand,
                     const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound,
                             Bind(arguments, {"case_sensitive", "attribute"}));
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena, operand));
  SPECINFER_ASSIGN_OR_RETURN(
      List keys, KeysOf(arena, *items, bound[1], TrueOr(bound[0], false)));
  SPECINFER_ASSIGN_OR_RETURN(Dict * seen, arena.NewDict());
  List unique;
  for (size_t i = 0; i < keys.size(); ++i) {
    SPECINFER_ASSIGN_OR_RETURN(const Value* known,
                               FindKey(arena, *seen, keys[i]));
    if (known != nullptr) continue;
    SPECINFER_RETURN_IF_ERROR(SetKey(arena, *seen, keys[i], Value::None()));
    unique.push_back((*items)[i]);
  }
  return arena.NewIterator(std::move(unique));
}

ValueOr Extreme(Arena& arena, const Value& operand, const Arguments& arguments,
                bool is_max) {
  SPECINFER_ASSIGN_OR_RETURN(List bound,
                             Bind(arguments, {"case_sensitive", "attribute"}));
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena, operand));
  SPECINFER_ASSIGN_OR_RETURN(
      List keys, KeysOf(arena, *items, bound[1], TrueOr(bound[0], false)));
  if (keys.empty()) return Value::Undefined("an item of nothing");
  size_t best = 0;
  for (size_t i = 1; i < keys.size(); ++i) {
    SPECINFER_ASSIGN_OR_RETURN(bool is_better,
                               is_max ? Less(arena, keys[best], keys[i])
                                      : Less(arena, keys[i], keys[best]));
    if (is_better) best = i;
  }
  return (*items)[best];
}

ValueOr FilterMin(Arena& arena, const Value& operand,
                  const Arguments& arguments) {
  return Extreme(arena, operand, arguments, /*is_max=*/false);
}

ValueOr FilterMax(Arena& arena, const Value& operand,
                  const Arguments& arguments) {
  return Extreme(arena, operand, arguments, /*is_max=*/true);
}

ValueOr FilterSum(Arena& arena, const Value& operand,
                  const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound,
                             Bind(arguments, {"attribute", "start"}));
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena, operand));
  Value sum = bound[1].is_missing() ? Value::Integer(0) : bound[1];
  if (sum.is_string())
    return absl::InvalidArgumentError("sum cannot add strings; use join");
  for (const Value& item : *items) {
    SPECINFER_RETURN_IF_ERROR(arena.Step());
    SPECINFER_ASSIGN_OR_RETURN(Value term, FindPath(arena, item, bound[0]));
    SPECINFER_ASSIGN_OR_RETURN(sum, Calculate(arena, "+", sum, term));
  }
  return sum;
}

ValueOr FilterBatch(Arena& arena, const Value& operand,
                    const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound,
                             Bind(arguments, {"linecount", "fill_with"}, 1));
  SPECINFER_ASSIGN_OR_RETURN(int64_t line_items, IntegerOr(bound[0], 1));
  if (line_items < 1 || line_items > kMaxRange)
    return absl::InvalidArgumentError("batch needs a positive number");
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena, operand));
  List batches, batch;
  for (size_t i = 0; i < items->size(); ++i) {
    SPECINFER_RETURN_IF_ERROR(arena.Step());
    batch.push_back((*items)[i]);
    if (i + 1 < items->size() &&
        static_cast<int64_t>(batch.size()) < line_items)
      continue;
    if (!bound[1].is_missing() && !bound[1].is_none())
      batch.resize(static_cast<size_t>(line_items), bound[1]);
    SPECINFER_ASSIGN_OR_RETURN(Value line, arena.NewList(std::move(batch)));
    batches.push_back(line);
    batch.clear();
  }
  return arena.NewIterator(std::move(batches));
}

ValueOr FilterMap(Arena& arena, const Value& operand,
                  const Arguments& arguments) {
  if (!IsTrue(operand)) return arena.NewIterator({});
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena, operand));
  List mapped;
  if (arguments.positional.empty()) {
    SPECINFER_ASSIGN_OR_RETURN(List bound,
                               Bind(arguments, {"attribute", "default"}, 1));
    for (const Value& item : *items) {
      SPECINFER_RETURN_IF_ERROR(arena.Step());
      SPECINFER_ASSIGN_OR_RETURN(Value value,
                                 FindPath(arena, item, bound[0], bound[1]));
      mapped.push_back(value);
    }
    return arena.NewIterator(std::move(mapped));
  }
  if (!arguments.positional[0].is_string())
    return absl::InvalidArgumentError("map needs the name of a filter");
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin());
  DepthGuard guard(arena);
  if (!guard.ok()) return guard.status();
  for (const Value& item : *items) {
    SPECINFER_RETURN_IF_ERROR(arena.Step());
    SPECINFER_ASSIGN_OR_RETURN(
        Value value,
        ApplyFilter(arena, arguments.positional[0].text(), item, rest));
    mapped.push_back(value);
  }
  return arena.NewIterator(std::move(mapped));
}

// select, reject, selectattr and rejectattr.
ValueOr Select(Arena& arena, const Value& operand, const Arguments& arguments,
               bool keeps, bool by_attribute) {
  if (!IsTrue(operand)) return arena.NewIterator({});
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena, operand));
  Arguments rest = arguments;
  Value path, test;
  for (Value* taken : {by_attribute ? &path : nullptr, &test}) {
    if (taken == nullptr || rest.positional.empty()) continue;
    *taken = rest.positional[0];
    rest.positional.erase(rest.positional.begin());
  }
  if (by_attribute && path.is_missing())
    return absl::InvalidArgumentError("the name of an attribute is missing");
  if (!test.is_missing() && !test.is_string())
    return absl::InvalidArgumentError("select needs the name of a test");
  List selected;
  for (const Value& item : *items) {
    SPECINFER_RETURN_IF_ERROR(arena.Step());
    SPECINFER_ASSIGN_OR_RETURN(Value tested, FindPath(arena, item, path));
    bool passes = IsTrue(tested);
    if (!test.is_missing()) {
      SPECINFER_ASSIGN_OR_RETURN(passes,
                                 ApplyTest(arena, test.text(), tested, rest));
    }
    if (passes == keeps) selected.push_back(item);
  }
  return arena.NewIterator(std::move(selected));
}

template <bool kKeeps, bool kByAttribute>
ValueOr FilterSelect(Arena& arena, const Value& operand,
                     const Arguments& arguments) {
  return Select(arena, operand, arguments, kKeeps, kByAttribute);
}

constexpr std::pair<std::string_view, FilterFunction> kFilters[] = {
    {"batch", FilterBatch},
    {"dictsort", FilterDictSort},
    {"first", FilterFirst},
    {"items", FilterItems},
    {"join", FilterJoin},
    {"last", FilterLast},
    {"list", FilterList},
    {"map", FilterMap},
    {"max", FilterMax},
    {"min", FilterMin},
    {"reject", FilterSelect<false, false>},
    {"rejectattr", FilterSelect<false, true>},
    {"reverse", FilterReverse},
    {"select", FilterSelect<true, false>},
    {"selectattr", FilterSelect<true, true>},
    {"sort", FilterSort},
    {"sum", FilterSum},
    {"unique", FilterUnique},
};

}  // namespace

FilterFunction FindSequenceFilter(std::string_view name) {
  for (const auto& [known, filter] : kFilters) {
    if (known == name) return filter;
  }
  return nullptr;
}

}  // namespace specinfer::jinja
