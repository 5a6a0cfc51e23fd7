// JSON out of untrusted files: bounded in size and depth, without exceptions.
#ifndef SPECINFER_SRC_MODEL_JSON_DOCUMENT_H_
#define SPECINFER_SRC_MODEL_JSON_DOCUMENT_H_

#include <string_view>

#include "absl/status/statusor.h"

#include <nlohmann/json.hpp>

namespace specinfer {

// Parses `text`, the whole of the file `path` or its header; the outermost
// value must be an object.
// Errors: INVALID_ARGUMENT (no JSON, no object, too long or deep, a key of the
// outermost object twice).
absl::StatusOr<nlohmann::json> ParseJsonObject(std::string_view path,
                                               std::string_view text);

// The same for an array.
absl::StatusOr<nlohmann::json> ParseJsonArray(std::string_view path,
                                              std::string_view text);

// The member `key` of `object`, or null where it is missing or JSON's null.
const nlohmann::json* FindMember(const nlohmann::json& object, const char* key);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_JSON_DOCUMENT_H_
