// Says in GGUF's keys what Hugging Face's config.json and the files beside it
// say.
#ifndef SPECINFER_SRC_MODEL_HUGGINGFACE_CONFIG_H_
#define SPECINFER_SRC_MODEL_HUGGINGFACE_CONFIG_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/model/huggingface_names.h"
#include "src/model/model_contents.h"
#include <nlohmann/json.hpp>

namespace specinfer {

// The files beside a model's weights, parsed. All but `config` may be null
// values.
struct HuggingfaceDocuments {
  std::string config_path;  // for messages
  nlohmann::json config;
  nlohmann::json generation_config;
  nlohmann::json tokenizer_config;
  std::string_view chat_template;  // chat_template.jinja, or empty
};

// Appends the keys, the three of `specinfer.` among them, to contents.entries.
// Errors: INVALID_ARGUMENT (a value missing or of the wrong kind),
// UNIMPLEMENTED (an architecture, activation or RoPE scaling that is not read).
absl::StatusOr<HuggingfaceNaming> AppendHuggingfaceKeys(
    const HuggingfaceDocuments& documents, ModelContents& contents);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_HUGGINGFACE_CONFIG_H_
