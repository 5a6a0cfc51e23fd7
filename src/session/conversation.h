// The messages of a chat, as the model's template wants them.
#ifndef SPECINFER_SRC_SESSION_CONVERSATION_H_
#define SPECINFER_SRC_SESSION_CONVERSATION_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace specinfer {

// A value: copies are independent. Text that is not UTF-8 gets replacement
// characters.
class Conversation {
 public:
  bool empty() const { return messages_.empty(); }
  bool EndsWithAnswer() const {
    return !empty() && messages_.back().role == "assistant";
  }
  void Clear() { messages_.clear(); }

  // Errors: INVALID_ARGUMENT (an empty role).
  absl::Status Add(std::string_view role, std::string_view content);
  // A JSON array of messages, each an object with a "role".
  // Errors: INVALID_ARGUMENT; nothing is added then.
  absl::Status AddJson(std::string_view json);
  // A JSON array and a JSON object, either may be empty.
  // Errors: INVALID_ARGUMENT; nothing is changed then.
  absl::Status SetOptions(std::string_view tools_json,
                          std::string_view variables_json);

  // Forgets the oldest turn (a user's message and all that follows it up to the
  // next one) after leading system messages. False, and nothing is forgotten,
  // when only one turn is left.
  bool DropOldestTurn();

  std::string MessagesJson() const;
  const std::string& tools_json() const { return tools_json_; }
  const std::string& variables_json() const { return variables_json_; }

 private:
  struct Message {
    std::string role;
    std::string json;
  };
  std::vector<Message> messages_;
  std::string tools_json_;
  std::string variables_json_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SESSION_CONVERSATION_H_
