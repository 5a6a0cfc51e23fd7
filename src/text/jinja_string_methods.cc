// Methods of Python's str.
#include <algorithm>
#include <string>
#include <utility>

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/text/jinja_builtins.h"
#include "src/text/jinja_print.h"
#include "src/text/jinja_unicode.h"

namespace specinfer::jinja {
namespace {

using ValueOr = absl::StatusOr<Value>;
using Texts = std::vector<std::string_view>;

absl::StatusOr<std::string_view> TextArgument(const Value& argument,
                                              std::string_view name) {
  if (argument.is_string()) return argument.text();
  return absl::InvalidArgumentError(
      Cat("\"", name, "\" needs a str, not ", TypeName(argument)));
}

ValueOr TextList(Arena& arena, const Texts& texts) {
  List items;
  for (std::string_view text : texts) items.push_back(Value::String(text));
  return arena.NewList(std::move(items));
}

ValueOr StripText(std::string_view text, std::string_view name,
                  const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound, Bind(arguments, {"chars"}));
  bool at_begin = name != "rstrip", at_end = name != "lstrip";
  if (bound[0].is_missing() || bound[0].is_none())
    return Value::String(Strip(text, nullptr, at_begin, at_end));
  SPECINFER_ASSIGN_OR_RETURN(std::string_view chars,
                             TextArgument(bound[0], name));
  return Value::String(Strip(text, &chars, at_begin, at_end));
}

ValueOr ChangeCase(Arena& arena, std::string_view text, std::string_view name) {
  if (name == "upper") return arena.NewString(Upper(text));
  if (name == "lower") return arena.NewString(Lower(text));
  std::string changed;
  bool begins_word = true;
  for (size_t offset = 0; offset < text.size();) {
    uint32_t c = NextCodePoint(text, offset);
    AppendCodePoint(begins_word ? ToUpper(c) : ToLower(c), changed);
    begins_word = name == "title" && !IsLetter(c);
  }
  return arena.NewString(std::move(changed));
}

ValueOr IsPrefixOrSuffix(std::string_view text, std::string_view name,
                         const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound, Bind(arguments, {"prefix"}, 1));
  List candidates =
      bound[0].is(ValueKind::kTuple) ? bound[0].list() : List{bound[0]};
  bool is_match = false;
  for (const Value& candidate : candidates) {
    SPECINFER_ASSIGN_OR_RETURN(std::string_view wanted,
                               TextArgument(candidate, name));
    is_match |= name == "startswith" ? text.starts_with(wanted)
                                     : text.ends_with(wanted);
  }
  return Value::Bool(is_match);
}

ValueOr RemoveAffix(std::string_view text, std::string_view name,
                    const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound, Bind(arguments, {"affix"}, 1));
  SPECINFER_ASSIGN_OR_RETURN(std::string_view affix,
                             TextArgument(bound[0], name));
  if (name == "removeprefix" && text.starts_with(affix))
    text.remove_prefix(affix.size());
  if (name == "removesuffix" && text.ends_with(affix))
    text.remove_suffix(affix.size());
  return Value::String(text);
}

// Runs of blanks separate; with a limit the rest keeps its inner blanks.
Texts SplitBlanks(std::string_view text, int64_t max_splits, bool from_right) {
  Texts parts;
  text = Strip(text, nullptr, !from_right, from_right);
  while (!text.empty()) {
    size_t begin = 0, end = text.size();
    bool is_last =
        max_splits >= 0 && static_cast<int64_t>(parts.size()) == max_splits;
    if (is_last) {
      parts.push_back(text);
      break;
    }
    if (from_right) {
      for (size_t offset = 0, next = 0; offset < text.size(); offset = next) {
        if (IsBlank(NextCodePoint(text, next = offset))) begin = next;
      }
      parts.push_back(text.substr(begin));
      text = Strip(text.substr(0, begin), nullptr, false, true);
    } else {
      for (size_t offset = 0, next = 0; offset < text.size(); offset = next) {
        if (!IsBlank(NextCodePoint(text, next = offset))) continue;
        end = offset;
        break;
      }
      parts.push_back(text.substr(0, end));
      text = Strip(text.substr(end), nullptr, true, false);
    }
  }
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

Texts SplitAt(std::string_view text, std::string_view separator,
              int64_t max_splits, bool from_right) {
  std::vector<size_t> cuts;
  if (from_right) {
    for (size_t end = text.size(); separator.size() <= end;) {
      if (max_splits >= 0 && static_cast<int64_t>(cuts.size()) == max_splits)
        break;
      size_t cut = text.substr(0, end).rfind(separator);
      if (cut == std::string_view::npos) break;
      cuts.push_back(cut);
      end = cut;
    }
    std::reverse(cuts.begin(), cuts.end());
  } else {
    for (size_t cut = FindText(text, separator); cut != std::string_view::npos;
         cut = FindText(text, separator, cut + separator.size())) {
      if (max_splits >= 0 && static_cast<int64_t>(cuts.size()) == max_splits)
        break;
      cuts.push_back(cut);
    }
  }
  Texts parts;
  size_t begin = 0;
  for (size_t cut : cuts) {
    parts.push_back(text.substr(begin, cut - begin));
    begin = cut + separator.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

ValueOr SplitText(Arena& arena, std::string_view text, std::string_view name,
                  const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound, Bind(arguments, {"sep", "maxsplit"}));
  SPECINFER_ASSIGN_OR_RETURN(int64_t max_splits, IntegerOr(bound[1], -1));
  bool from_right = name == "rsplit";
  if (bound[0].is_missing() || bound[0].is_none()) {
    // From the right each word is found by a scan of what is left.
    if (from_right)
      SPECINFER_RETURN_IF_ERROR(arena.StepOver(
          text.size() * std::min<size_t>(text.size(), 1u << 20) / 16));
    return TextList(arena, SplitBlanks(text, max_splits, from_right));
  }
  SPECINFER_ASSIGN_OR_RETURN(std::string_view separator,
                             TextArgument(bound[0], name));
  if (separator.empty())
    return absl::InvalidArgumentError("the separator of split is empty");
  if (from_right)
    SPECINFER_RETURN_IF_ERROR(arena.StepOver(text.size() * separator.size()));
  return TextList(arena, SplitAt(text, separator, max_splits, from_right));
}

ValueOr ReplaceText(Arena& arena, std::string_view text,
                    const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound,
                             Bind(arguments, {"old", "new", "count"}, 2));
  SPECINFER_ASSIGN_OR_RETURN(std::string_view old,
                             TextArgument(bound[0], "replace"));
  SPECINFER_ASSIGN_OR_RETURN(std::string_view replacement,
                             TextArgument(bound[1], "replace"));
  SPECINFER_ASSIGN_OR_RETURN(int64_t max_times, IntegerOr(bound[2], -1));
  std::string replaced;
  size_t begin = 0;
  for (int64_t times = 0; max_times < 0 || times < max_times; ++times) {
    size_t cut = old.empty() ? begin : FindText(text, old, begin);
    if (cut == std::string_view::npos ||
        (old.empty() && times > 0 && begin >= text.size()))
      break;
    size_t end = cut + old.size();
    // An empty text is found before each character and at the end.
    if (old.empty() && times > 0) end = begin + CodePointBytes(text[begin]);
    replaced += text.substr(begin, old.empty() ? end - begin : cut - begin);
    replaced += replacement;
    begin = end;
    SPECINFER_RETURN_IF_ERROR(arena.StepOver(replacement.size()));
    if (replaced.size() > kMaxOutputBytes)
      return arena.Charge(kMaxArenaBytes + 1);
  }
  replaced += text.substr(std::min(begin, text.size()));
  return arena.NewString(std::move(replaced));
}

ValueOr FindInText(std::string_view text, std::string_view name,
                   const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound,
                             Bind(arguments, {"sub", "start", "end"}, 1));
  SPECINFER_ASSIGN_OR_RETURN(std::string_view wanted,
                             TextArgument(bound[0], name));
  int64_t length = static_cast<int64_t>(CountCodePoints(text));
  SPECINFER_ASSIGN_OR_RETURN(
      int64_t start, IntegerOr(bound[1].is_none() ? Value() : bound[1], 0));
  SPECINFER_ASSIGN_OR_RETURN(
      int64_t stop, IntegerOr(bound[2].is_none() ? Value() : bound[2], length));
  if (start < 0)
    start = std::max<int64_t>(std::max(start, -length) + length, 0);
  if (stop < 0) stop = std::max<int64_t>(std::max(stop, -length) + length, 0);
  stop = std::min(stop, length);
  size_t found = std::string_view::npos;
  if (start <= stop) {
    size_t begin = CodePointOffset(text, static_cast<size_t>(start));
    size_t end = CodePointOffset(text, static_cast<size_t>(stop));
    bool from_right = name == "rfind" || name == "rindex";
    std::string_view part = text.substr(begin, end - begin);
    found = from_right ? part.rfind(wanted) : FindText(part, wanted);
    if (found != std::string_view::npos)
      found = CountCodePoints(text.substr(0, begin + found));
  }
  if (found != std::string_view::npos)
    return Value::Integer(static_cast<int64_t>(found));
  if (name == "find" || name == "rfind") return Value::Integer(-1);
  return absl::InvalidArgumentError("text is not found by index");
}

ValueOr CountInText(std::string_view text, const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound, Bind(arguments, {"sub"}, 1));
  SPECINFER_ASSIGN_OR_RETURN(std::string_view wanted,
                             TextArgument(bound[0], "count"));
  if (wanted.empty())
    return Value::Integer(static_cast<int64_t>(CountCodePoints(text)) + 1);
  return Value::Integer(
      static_cast<int64_t>(
          SplitAt(text, wanted, -1, /*from_right=*/false).size()) -
      1);
}

ValueOr JoinTexts(Arena& arena, std::string_view separator,
                  const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound, Bind(arguments, {"iterable"}, 1));
  SPECINFER_ASSIGN_OR_RETURN(const List* items, Iterate(arena, bound[0]));
  std::string text;
  for (size_t i = 0; i < items->size(); ++i) {
    SPECINFER_ASSIGN_OR_RETURN(std::string_view item,
                               TextArgument((*items)[i], "join"));
    SPECINFER_RETURN_IF_ERROR(arena.StepOver(separator.size() + item.size()));
    if (text.size() > kMaxOutputBytes) return arena.Charge(kMaxArenaBytes + 1);
    if (i > 0) text += separator;
    text += item;
  }
  return arena.NewString(std::move(text));
}

ValueOr SplitTextLines(Arena& arena, std::string_view text,
                       const Arguments& arguments) {
  SPECINFER_ASSIGN_OR_RETURN(List bound, Bind(arguments, {"keepends"}));
  bool keeps_ends = TrueOr(bound[0], false);
  Texts lines;
  size_t begin = 0;
  for (size_t offset = 0; offset < text.size();) {
    size_t end = offset;
    uint32_t c = NextCodePoint(text, offset);
    bool is_break = (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) ||
                    c == 0x85 || c == 0x2028 || c == 0x2029;
    if (!is_break) continue;
    if (c == '\r' && offset < text.size() && text[offset] == '\n') ++offset;
    lines.push_back(text.substr(begin, (keeps_ends ? offset : end) - begin));
    begin = offset;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return TextList(arena, lines);
}

ValueOr Classify(std::string_view text, std::string_view name) {
  if (name == "isupper" || name == "islower") {
    std::string upper = Upper(text), lower = Lower(text);
    return Value::Bool(upper != lower &&
                       text == (name == "isupper" ? upper : lower));
  }
  bool matches = !text.empty();
  for (size_t offset = 0; offset < text.size() && matches;) {
    uint32_t c = NextCodePoint(text, offset);
    bool is_digit = c >= '0' && c <= '9';
    if (name == "isspace") {
      matches = IsBlank(c);
    } else if (name == "isalpha") {
      matches = IsLetter(c);
    } else if (name == "isalnum") {
      matches = IsLetter(c) || is_digit;
    } else {
      matches = is_digit;
    }
  }
  return Value::Bool(matches);
}

// {} and {0} and {name}; anything after the name is refused.
ValueOr FormatBraces(Arena& arena, std::string_view format,
                     const Arguments& arguments) {
  std::string text;
  size_t next = 0;
  for (size_t i = 0; i < format.size(); ++i) {
    char c = format[i];
    if ((c == '{' || c == '}') && i + 1 < format.size() && format[i + 1] == c) {
      text.push_back(c);
      ++i;
      continue;
    }
    if (c == '}')
      return absl::InvalidArgumentError("format has a single \"}\"");
    if (c != '{') {
      text.push_back(c);
      continue;
    }
    size_t end = format.find('}', i);
    if (end == std::string_view::npos)
      return absl::InvalidArgumentError("format has a single \"{\"");
    std::string_view field = format.substr(i + 1, end - i - 1);
    const Value* value = nullptr;
    bool is_index = std::all_of(field.begin(), field.end(),
                                [](char d) { return d >= '0' && d <= '9'; });
    if (is_index) {
      size_t index = field.empty() ? next++ : 0;
      for (char d : field)
        index = std::min<size_t>(index * 10 + static_cast<size_t>(d - '0'),
                                 1u << 20);
      if (index < arguments.positional.size())
        value = &arguments.positional[index];
    }
    for (const auto& [name, named] : arguments.named) {
      if (!is_index && name == field) value = &named;
    }
    if (value == nullptr)
      return absl::InvalidArgumentError(
          Cat("format field \"", field, "\" is not supported"));
    SPECINFER_RETURN_IF_ERROR(AppendStr(arena, *value, text));
    i = end;
  }
  return arena.NewString(std::move(text));
}

constexpr std::string_view kMethods[] = {
    "capitalize", "count",      "endswith",     "find",         "format",
    "index",      "isalnum",    "isalpha",      "isdigit",      "isdecimal",
    "islower",    "isnumeric",  "isspace",      "isupper",      "join",
    "lower",      "lstrip",     "removeprefix", "removesuffix", "replace",
    "rfind",      "rindex",     "rsplit",       "rstrip",       "split",
    "splitlines", "startswith", "strip",        "title",        "upper",
};

}  // namespace

bool HasStringMethod(std::string_view name) {
  return std::find(std::begin(kMethods), std::end(kMethods), name) !=
         std::end(kMethods);
}

absl::StatusOr<Value> CallStringMethod(Arena& arena, const Value& receiver,
                                       std::string_view name,
                                       const Arguments& arguments) {
  std::string_view text = receiver.text();
  SPECINFER_RETURN_IF_ERROR(arena.StepOver(text.size() * 4));
  if (name == "strip" || name == "lstrip" || name == "rstrip")
    return StripText(text, name, arguments);
  if (name == "startswith" || name == "endswith")
    return IsPrefixOrSuffix(text, name, arguments);
  if (name == "removeprefix" || name == "removesuffix")
    return RemoveAffix(text, name, arguments);
  if (name == "split" || name == "rsplit")
    return SplitText(arena, text, name, arguments);
  if (name == "replace") return ReplaceText(arena, text, arguments);
  if (name == "count") return CountInText(text, arguments);
  if (name == "join") return JoinTexts(arena, text, arguments);
  if (name == "splitlines") return SplitTextLines(arena, text, arguments);
  if (name == "format") return FormatBraces(arena, text, arguments);
  if (name == "find" || name == "rfind" || name == "index" ||
      name == "rindex") {
    if (name[0] == 'r')
      SPECINFER_RETURN_IF_ERROR(arena.StepOver(text.size() * 64));
    return FindInText(text, name, arguments);
  }
  SPECINFER_RETURN_IF_ERROR(Bind(arguments, {}).status());
  if (name.starts_with("is")) return Classify(text, name);
  return ChangeCase(arena, text, name);
}

}  // namespace specinfer::jinja
