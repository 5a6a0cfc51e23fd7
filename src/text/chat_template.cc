#include "src/text/chat_template.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/text/jinja_arena.h"
#include "src/text/jinja_evaluator.h"
#include "src/text/jinja_json.h"
#include "src/text/jinja_lexer.h"
#include "src/text/jinja_parser.h"
#include "src/text/jinja_unicode.h"

namespace specinfer {
namespace {

// Real templates have at most some tens of KiB.
constexpr size_t kMaxSourceBytes = size_t{1} << 20;

absl::StatusOr<jinja::Value> ParseMember(jinja::Arena& arena,
                                         std::string_view what,
                                         std::string_view text,
                                         jinja::ValueKind kind,
                                         std::string_view kind_name) {
  SPECINFER_ASSIGN_OR_RETURN(jinja::Value value,
                             jinja::ParseJson(arena, what, text));
  if (!value.is(kind))
    return absl::InvalidArgumentError(Cat(what, " is not a JSON ", kind_name));
  return value;
}

absl::Status SetVariables(jinja::Arena& arena, const ChatTemplate::Input& input,
                          jinja::Scope& variables) {
  for (std::string_view token : {input.bos_token, input.eos_token}) {
    if (!jinja::IsValidUtf8(token))
      return absl::InvalidArgumentError(
          "chat template: a token is not valid UTF-8");
  }
  SPECINFER_ASSIGN_OR_RETURN(
      jinja::Value messages,
      ParseMember(arena, "chat messages", input.messages_json,
                  jinja::ValueKind::kList, "array"));
  jinja::Value tools = jinja::Value::None();
  if (!input.tools_json.empty()) {
    SPECINFER_ASSIGN_OR_RETURN(
        tools, ParseMember(arena, "chat tools", input.tools_json,
                           jinja::ValueKind::kList, "array"));
  }
  variables.names["messages"] = messages;
  variables.names["tools"] = tools;
  variables.names["documents"] = jinja::Value::None();
  variables.names["add_generation_prompt"] =
      jinja::Value::Bool(input.add_generation_prompt);
  variables.names["bos_token"] = jinja::Value::String(input.bos_token);
  variables.names["eos_token"] = jinja::Value::String(input.eos_token);
  if (input.extra_json.empty()) return absl::OkStatus();
  SPECINFER_ASSIGN_OR_RETURN(
      jinja::Value extra,
      ParseMember(arena, "chat template variables", input.extra_json,
                  jinja::ValueKind::kDict, "object"));
  for (const auto& [name, value] : extra.dict().entries)
    variables.names[name.text()] = value;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChatTemplate>> ChatTemplate::Parse(
    std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    return absl::InvalidArgumentError(Cat("chat template has ", source.size(),
                                          " bytes, at most ", kMaxSourceBytes,
                                          " are read"));
  }
  if (!jinja::IsValidUtf8(source))
    return absl::InvalidArgumentError("chat template is not valid UTF-8");
  SPECINFER_ASSIGN_OR_RETURN(std::vector<jinja::Token> tokens,
                             jinja::Tokenize(source));
  SPECINFER_ASSIGN_OR_RETURN(jinja::NodePtr body,
                             jinja::Parser(std::move(tokens)).Parse());
  return std::unique_ptr<ChatTemplate>(new ChatTemplate(std::move(body)));
}

absl::StatusOr<std::string> ChatTemplate::Render(const Input& input) const {
  jinja::Arena arena;
  SPECINFER_ASSIGN_OR_RETURN(jinja::Scope * variables, arena.NewScope(nullptr));
  SPECINFER_RETURN_IF_ERROR(SetVariables(arena, input, *variables));
  return jinja::Evaluator(arena, variables, input.date).Render(*body_);
}

}  // namespace specinfer
