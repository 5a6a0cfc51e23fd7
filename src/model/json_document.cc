#include "src/model/json_document.h"

#include <cstddef>
#include <utility>

#include "src/base/status_macros.h"
#include "src/model/model_contents.h"

namespace specinfer {
namespace {

constexpr size_t kMaxBytes = size_t{16} << 20;
constexpr int kMaxDepth = 64;

// What can be told about a text before it is parsed.
struct Outline {
  int depth = 0;
  size_t num_outer_keys = 0;
};

Outline ReadOutline(std::string_view text) {
  Outline outline;
  int depth = 0;
  bool is_in_string = false;
  for (size_t index = 0; index < text.size(); ++index) {
    const char letter = text[index];
    if (is_in_string) {
      if (letter == '\\') ++index;
      if (letter == '"') is_in_string = false;
    } else if (letter == '"') {
      is_in_string = true;
    } else if (letter == '{' || letter == '[') {
      outline.depth = ++depth > outline.depth ? depth : outline.depth;
    } else if (letter == '}' || letter == ']') {
      --depth;
    } else if (letter == ':' && depth == 1) {
      ++outline.num_outer_keys;
    }
  }
  return outline;
}

absl::StatusOr<nlohmann::json> Parse(std::string_view path,
                                     std::string_view text,
                                     const Outline& outline) {
  if (text.size() > kMaxBytes) {
    return absl::InvalidArgumentError(ModelMessage(
        path, "has ", text.size(), " bytes of JSON, more than the ", kMaxBytes,
        " that are read"));
  }
  if (outline.depth > kMaxDepth) {
    return absl::InvalidArgumentError(
        ModelMessage(path, "has JSON nested ", outline.depth,
                     " deep, more than ", kMaxDepth));
  }
  nlohmann::json document = nlohmann::json::parse(
      text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded())
    return absl::InvalidArgumentError(ModelMessage(path, "is not valid JSON"));
  return document;
}

}  // namespace

absl::StatusOr<nlohmann::json> ParseJsonObject(std::string_view path,
                                               std::string_view text) {
  const Outline outline = ReadOutline(text);
  SPECINFER_ASSIGN_OR_RETURN(nlohmann::json document,
                             Parse(path, text, outline));
  if (!document.is_object())
    return absl::InvalidArgumentError(
        ModelMessage(path, "is JSON, but not an object"));
  if (document.size() != outline.num_outer_keys) {
    return absl::InvalidArgumentError(
        ModelMessage(path, "has a key twice in its outermost object"));
  }
  return document;
}

absl::StatusOr<nlohmann::json> ParseJsonArray(std::string_view path,
                                              std::string_view text) {
  SPECINFER_ASSIGN_OR_RETURN(nlohmann::json document,
                             Parse(path, text, ReadOutline(text)));
  if (document.is_array()) return document;
  return absl::InvalidArgumentError(
      ModelMessage(path, "is JSON, but not an array"));
}

const nlohmann::json* FindMember(const nlohmann::json& object,
                                 const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace specinfer
