// A model's chat template: turns a conversation into the text the model was
// trained on. The template is Jinja, taken from the model's file and therefore
// untrusted: it can neither reach anything outside nor run or grow without
// bound.
#ifndef SPECINFER_SRC_TEXT_CHAT_TEMPLATE_H_
#define SPECINFER_SRC_TEXT_CHAT_TEMPLATE_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

#include "src/text/jinja_ast.h"

namespace specinfer {

// Never changes after Parse, so it may render in several threads at once.
class ChatTemplate {
 public:
  struct Input {
    // A JSON array of {"role": ..., "content": ..., ...}.
    std::string_view messages_json;
    // A JSON array of tools, or empty for none.
    std::string_view tools_json;
    // Whether to end with what makes the model begin its answer.
    bool add_generation_prompt = false;
    std::string_view bos_token;
    std::string_view eos_token;
    // A JSON object whose members become variables (as "enable_thinking"), or
    // empty.
    std::string_view extra_json;
    // What a template that asks for the date is told: 2024-07-26 or
    // 2024-07-26T12:30:00; empty for the clock, in UTC.
    std::string_view date;
  };

  // An error names the construct that cannot run, with its line.
  static absl::StatusOr<std::unique_ptr<ChatTemplate>> Parse(
      std::string_view source);

  absl::StatusOr<std::string> Render(const Input& input) const;

 private:
  explicit ChatTemplate(jinja::NodePtr body) : body_(std::move(body)) {}

  const jinja::NodePtr body_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_CHAT_TEMPLATE_H_
