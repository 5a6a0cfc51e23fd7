#include "src/text/jinja_json.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "nlohmann/json.hpp"
#include "src/base/text.h"

namespace specinfer::jinja {
namespace {

// Receives the parser's events; the names are the parser's.
class Receiver {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  explicit Receiver(Arena& arena) : arena_(arena) {}

  bool null() { return Add(Value::None()); }
  bool boolean(bool value) { return Add(Value::Bool(value)); }
  bool number_integer(number_integer_t value) {
    return Add(Value::Integer(value));
  }
  bool number_unsigned(number_unsigned_t value) {
    if (value >
        static_cast<number_unsigned_t>(std::numeric_limits<int64_t>::max()))
      return TooLarge();
    return Add(Value::Integer(static_cast<int64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t& text) {
    // An integer of more than 64 bits arrives here too.
    if (text.find_first_of(".eE") == string_t::npos) return TooLarge();
    return Add(Value::Float(value));
  }
  bool string(string_t& text) {
    return AddOr(arena_.NewString(std::move(text)));
  }
  bool binary(binary_t&) { return false; }
  bool start_object(size_t) { return Open(/*is_object=*/true); }
  bool key(string_t& text) {
    absl::StatusOr<Value> key = arena_.NewString(std::move(text));
    if (!key.ok()) return Fail(key.status());
    open_.back().key = *key;
    return true;
  }
  bool end_object() {
    Value object = Value::Handle(ValueKind::kDict, open_.back().dict);
    open_.pop_back();
    return Add(object);
  }
  bool start_array(size_t) { return Open(/*is_object=*/false); }
  bool end_array() {
    List items = std::move(open_.back().items);
    open_.pop_back();
    return AddOr(arena_.NewList(std::move(items)));
  }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) {
    return Fail(absl::InvalidArgumentError(
        Cat("is not valid JSON at byte ", position)));
  }

  const absl::Status& status() const { return status_; }
  const Value& result() const { return result_; }

 private:
  struct Container {
    Dict* dict = nullptr;  // null for an array
    List items;
    Value key;
  };

  bool Fail(absl::Status status) {
    status_.Update(std::move(status));
    return false;
  }
  bool TooLarge() {
    return Fail(
        absl::InvalidArgumentError("holds an integer of more than 64 bits"));
  }

  bool Open(bool is_object) {
    if (open_.size() == kMaxJsonDepth) {
      return Fail(absl::InvalidArgumentError(
          Cat("nests deeper than ", kMaxJsonDepth, " levels")));
    }
    Container& container = open_.emplace_back();
    if (!is_object) return true;
    absl::StatusOr<Dict*> dict = arena_.NewDict();
    if (!dict.ok()) return Fail(dict.status());
    container.dict = *dict;
    return true;
  }

  bool AddOr(const absl::StatusOr<Value>& value) {
    return value.ok() ? Add(*value) : Fail(value.status());
  }

  bool Add(const Value& value) {
    if (open_.empty()) {
      result_ = value;
    } else if (open_.back().dict == nullptr) {
      open_.back().items.push_back(value);
    } else {
      absl::Status status =
          SetKey(arena_, *open_.back().dict, open_.back().key, value);
      if (!status.ok()) return Fail(status);
    }
    return true;
  }

  Arena& arena_;
  std::vector<Container> open_;
  Value result_ = Value::None();
  absl::Status status_;
};

}  // namespace

absl::StatusOr<Value> ParseJson(Arena& arena, std::string_view what,
                                std::string_view text) {
  Receiver receiver(arena);
  bool is_whole =
      nlohmann::json::sax_parse(text.begin(), text.end(), &receiver);
  if (is_whole && receiver.status().ok()) return receiver.result();
  if (receiver.status().ok())
    return absl::InvalidArgumentError(Cat(what, " is not valid JSON"));
  return absl::Status(receiver.status().code(),
                      Cat(what, " ", receiver.status().message()));
}

}  // namespace specinfer::jinja
