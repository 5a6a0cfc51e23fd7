#include "src/session/conversation.h"

#include <algorithm>
#include <utility>

#include "nlohmann/json.hpp"

namespace specinfer {
namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& value) {
  return value.dump(/*indent=*/-1, /*indent_char=*/' ', /*ensure_ascii=*/false,
                    Json::error_handler_t::replace);
}

Json Parse(std::string_view text) {
  return Json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
}

}  // namespace

absl::Status Conversation::Add(std::string_view role,
                               std::string_view content) {
  if (role.empty())
    return absl::InvalidArgumentError(
        "a message needs a role, such as \"user\"");
  const Json message = {{"role", std::string(role)},
                        {"content", std::string(content)}};
  messages_.push_back({std::string(role), Dump(message)});
  return absl::OkStatus();
}

absl::Status Conversation::AddJson(std::string_view json) {
  const Json array = Parse(json);
  if (!array.is_array())
    return absl::InvalidArgumentError(
        "messages must be a JSON array of objects");
  std::vector<Message> added;
  for (const Json& message : array) {
    const auto role =
        message.is_object() ? message.find("role") : message.end();
    if (!message.is_object() || role == message.end() || !role->is_string() ||
        role->get_ref<const std::string&>().empty()) {
      return absl::InvalidArgumentError(
          "every message must be a JSON object with a \"role\"");
    }
    added.push_back({role->get<std::string>(), Dump(message)});
  }
  messages_.insert(messages_.end(), std::make_move_iterator(added.begin()),
                   std::make_move_iterator(added.end()));
  return absl::OkStatus();
}

absl::Status Conversation::SetOptions(std::string_view tools_json,
                                      std::string_view variables_json) {
  if (!tools_json.empty() && !Parse(tools_json).is_array()) {
    return absl::InvalidArgumentError("tools must be a JSON array");
  }
  if (!variables_json.empty() && !Parse(variables_json).is_object()) {
    return absl::InvalidArgumentError(
        "template variables must be a JSON object");
  }
  tools_json_ = std::string(tools_json);
  variables_json_ = std::string(variables_json);
  return absl::OkStatus();
}

bool Conversation::DropOldestTurn() {
  const auto first = std::find_if(
      messages_.begin(), messages_.end(),
      [](const Message& message) { return message.role != "system"; });
  if (first == messages_.end()) return false;
  const auto next = std::find_if(
      first + 1, messages_.end(),
      [](const Message& message) { return message.role == "user"; });
  if (next == messages_.end()) return false;
  messages_.erase(first, next);
  return true;
}

std::string Conversation::MessagesJson() const {
  std::string json = "[";
  for (const Message& message : messages_) {
    if (json.size() > 1) json += ",";
    json += message.json;
  }
  json += "]";
  return json;
}

}  // namespace specinfer
