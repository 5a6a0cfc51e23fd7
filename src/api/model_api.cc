// specinfer_model: loading, and everything a const model answers.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "src/api/arguments.h"
#include "src/api/edge.h"
#include "src/api/handles.h"
#include "src/api/model_config.h"
#include "src/api/sized_struct.h"
#include "src/model/metadata.h"
#include "src/model/model_file.h"
#include "src/session/model.h"
#include "src/text/tokenizer.h"

namespace specinfer {
namespace {

constexpr SizedStruct kMemory = {
    "specinfer_model_memory", "out_memory", "SPECINFER_MODEL_MEMORY_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_model_memory, total_bytes)};
constexpr SizedStruct kProperties = {
    "specinfer_model_properties", "out_properties",
    "SPECINFER_MODEL_PROPERTIES_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_model_properties, weight_bytes)};

specinfer_model_memory ToC(const MemoryPlan& from) {
  specinfer_model_memory to = SPECINFER_MODEL_MEMORY_INIT;
  to.max_context_tokens = static_cast<uint32_t>(from.max_context_tokens);
  to.file_bytes = from.file_bytes;
  to.weight_bytes = from.weight_bytes;
  to.cache_bytes_per_token = from.cache_bytes_per_token;
  to.session_bytes = from.session_bytes;
  to.total_bytes = from.total_bytes;
  to.mapped_bytes = from.mapped_bytes;
  to.q8_cache_bytes_per_token = from.q8_cache_bytes_per_token;
  to.q8_session_bytes = from.q8_session_bytes;
  return to;
}

uint64_t CountParameters(const ModelFile& file) {
  uint64_t num_parameters = 0;
  for (const TensorRecord& tensor : file.tensors()) {
    num_parameters += static_cast<uint64_t>(tensor.columns()) *
                      static_cast<uint64_t>(tensor.rows());
  }
  return num_parameters;
}

bool HasFillInMiddle(const Tokenizer& tokenizer) {
  return tokenizer.special_token(SpecialToken::kFimPrefix) >= 0 &&
         tokenizer.special_token(SpecialToken::kFimSuffix) >= 0 &&
         tokenizer.special_token(SpecialToken::kFimMiddle) >= 0;
}

specinfer_model_properties Describe(const Model& model) {
  const Architecture& architecture = model.architecture();
  specinfer_model_properties properties = SPECINFER_MODEL_PROPERTIES_INIT;
  properties.vocabulary_size =
      static_cast<uint32_t>(architecture.vocabulary_size);
  properties.max_context_tokens =
      static_cast<uint32_t>(architecture.max_context);
  properties.hidden_size = static_cast<uint32_t>(architecture.hidden_size);
  properties.num_layers = static_cast<uint32_t>(architecture.layers.size());
  properties.has_chat_template = model.has_chat_template() ? 1 : 0;
  properties.has_fill_in_middle = HasFillInMiddle(model.tokenizer()) ? 1 : 0;
  properties.adds_bos = model.tokenizer().adds_bos() ? 1 : 0;
  properties.num_parameters = CountParameters(model.file());
  properties.file_bytes = model.file().file_bytes();
  properties.weight_bytes = model.weights().num_bytes();
  properties.num_tensors = static_cast<uint32_t>(model.file().tensors().size());
  properties.is_packed = model.file().is_packed() ? 1 : 0;
  return properties;
}

// A metadata value as text. Arrays say only how long they are: a vocabulary is
// no text.
struct MetadataText {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(int64_t value) const { return absl::StrCat(value); }
  std::string operator()(uint64_t value) const { return absl::StrCat(value); }
  std::string operator()(double value) const { return absl::StrCat(value); }
  std::string operator()(std::string_view value) const {
    return std::string(value);
  }
  std::string operator()(const NumberArray& value) const {
    return absl::StrCat("[", value.size(), " numbers]");
  }
  std::string operator()(const StringArray& value) const {
    return absl::StrCat("[", value.size(), " strings]");
  }
};

// One of SPECINFER_SPECIAL_….
absl::StatusOr<SpecialToken> ReadSpecial(int32_t special) {
  switch (special) {
    case SPECINFER_SPECIAL_BOS:
      return SpecialToken::kBos;
    case SPECINFER_SPECIAL_EOS:
      return SpecialToken::kEos;
    case SPECINFER_SPECIAL_EOT:
      return SpecialToken::kEndOfTurn;
    case SPECINFER_SPECIAL_FIM_PREFIX:
      return SpecialToken::kFimPrefix;
    case SPECINFER_SPECIAL_FIM_SUFFIX:
      return SpecialToken::kFimSuffix;
    case SPECINFER_SPECIAL_FIM_MIDDLE:
      return SpecialToken::kFimMiddle;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("special is ", special,
                       ", which is no SPECINFER_SPECIAL_… of this library"));
  }
}

absl::StatusOr<std::vector<Token>> Tokenize(const Tokenizer& tokenizer,
                                            std::string_view text,
                                            uint32_t flags) {
  std::vector<Token> tokens;
  if ((flags & SPECINFER_TEXT_ADD_BOS) != 0 && tokenizer.adds_bos())
    tokens.push_back(tokenizer.bos());
  SPECINFER_RETURN_IF_ERROR(tokenizer.Tokenize(
      text, (flags & SPECINFER_TEXT_PARSE_SPECIAL) != 0, &tokens));
  return tokens;
}

// Errors: OUT_OF_RANGE.
absl::StatusOr<std::string> Detokenize(const Tokenizer& tokenizer,
                                       absl::Span<const Token> tokens,
                                       uint32_t flags) {
  std::string text;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < 0 || tokens[i] >= tokenizer.vocabulary_size()) {
      return absl::OutOfRangeError(absl::StrCat(
          "tokens[", i, "] is ", tokens[i], ", the vocabulary has ",
          tokenizer.vocabulary_size(), " tokens"));
    }
    text.append(tokenizer.TokenBytes(
        tokens[i], (flags & SPECINFER_TEXT_SHOW_SPECIAL) != 0));
  }
  return text;
}

}  // namespace
}  // namespace specinfer

using specinfer::CheckPointer;
using specinfer::Edge;
using specinfer::ReadText;

extern "C" {

specinfer_status specinfer_model_plan(const specinfer_engine* engine,
                                      const char* path, size_t path_length,
                                      uint32_t num_context_tokens,
                                      specinfer_model_memory* out_memory) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(engine, "engine"));
    SPECINFER_ASSIGN_OR_RETURN(const std::string file,
                               specinfer::ReadPath(path, path_length));
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckSizedOutput(out_memory, specinfer::kMemory));
    if (num_context_tokens > INT32_MAX) {
      return absl::InvalidArgumentError(
          absl::StrCat("num_context_tokens is ", num_context_tokens,
                       ", the limit is ", INT32_MAX));
    }
    SPECINFER_ASSIGN_OR_RETURN(
        const specinfer::MemoryPlan plan,
        specinfer::Model::Plan(*engine->engine, file,
                               static_cast<int32_t>(num_context_tokens)));
    specinfer::WriteSizedStruct(specinfer::ToC(plan), out_memory);
    return absl::OkStatus();
  });
}

specinfer_status specinfer_model_load(const specinfer_engine* engine,
                                      const char* path, size_t path_length,
                                      const specinfer_model_config* config,
                                      specinfer_model** out_model) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(engine, "engine"));
    SPECINFER_RETURN_IF_ERROR(CheckPointer(out_model, "out_model"));
    SPECINFER_ASSIGN_OR_RETURN(const std::string file,
                               specinfer::ReadPath(path, path_length));
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::ModelProgress progress,
                               specinfer::ReadModelConfig(config));
    auto handle = std::make_unique<specinfer_model>();
    SPECINFER_ASSIGN_OR_RETURN(
        handle->model,
        specinfer::Model::Load(engine->engine, file, progress.Options()));
    *out_model = handle.release();
    return absl::OkStatus();
  });
}

void specinfer_model_destroy(specinfer_model* model) { delete model; }

specinfer_status specinfer_model_get_properties(
    const specinfer_model* model, specinfer_model_properties* out_properties) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(model, "model"));
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckSizedOutput(out_properties, specinfer::kProperties));
    specinfer::WriteSizedStruct(specinfer::Describe(*model->model),
                                out_properties);
    return absl::OkStatus();
  });
}

specinfer_status specinfer_model_get_metadata(const specinfer_model* model,
                                              const char* key,
                                              size_t key_length, char* buffer,
                                              size_t capacity,
                                              size_t* out_length) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(model, "model"));
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view name,
                               ReadText(key, key_length, "key"));
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckBuffer(buffer, capacity, out_length));
    const specinfer::MetadataValue* value = model->model->file().Find(name);
    if (value == nullptr) {
      return absl::NotFoundError(absl::StrCat("the model has no metadata ",
                                              specinfer::QuoteName(name)));
    }
    const std::string text = std::visit(specinfer::MetadataText(), *value);
    specinfer::WriteBuffer(std::string_view(text), buffer, capacity,
                           out_length);
    return absl::OkStatus();
  });
}

specinfer_status specinfer_model_get_special_token(const specinfer_model* model,
                                                   int32_t special,
                                                   specinfer_token* out_token) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(model, "model"));
    SPECINFER_RETURN_IF_ERROR(CheckPointer(out_token, "out_token"));
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::SpecialToken which,
                               specinfer::ReadSpecial(special));
    const specinfer::Token token =
        model->model->tokenizer().special_token(which);
    if (token < 0)
      return absl::NotFoundError(
          "the model's vocabulary names no token of this kind");
    *out_token = token;
    return absl::OkStatus();
  });
}

specinfer_status specinfer_model_tokenize(const specinfer_model* model,
                                          const char* text, size_t text_length,
                                          uint32_t flags,
                                          specinfer_token* buffer,
                                          size_t capacity, size_t* out_length) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(model, "model"));
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view content,
                               ReadText(text, text_length, "text"));
    SPECINFER_RETURN_IF_ERROR(specinfer::CheckFlags(
        flags, SPECINFER_TEXT_PARSE_SPECIAL | SPECINFER_TEXT_ADD_BOS));
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckBuffer(buffer, capacity, out_length));
    SPECINFER_ASSIGN_OR_RETURN(
        const std::vector<specinfer::Token> tokens,
        specinfer::Tokenize(model->model->tokenizer(), content, flags));
    specinfer::WriteBuffer(absl::MakeConstSpan(tokens), buffer, capacity,
                           out_length);
    return absl::OkStatus();
  });
}

specinfer_status specinfer_model_detokenize(const specinfer_model* model,
                                            const specinfer_token* tokens,
                                            size_t num_tokens, uint32_t flags,
                                            char* buffer, size_t capacity,
                                            size_t* out_length) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(model, "model"));
    SPECINFER_ASSIGN_OR_RETURN(const auto shown,
                               specinfer::ReadTokens(tokens, num_tokens));
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckFlags(flags, SPECINFER_TEXT_SHOW_SPECIAL));
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckBuffer(buffer, capacity, out_length));
    SPECINFER_ASSIGN_OR_RETURN(
        const std::string text,
        specinfer::Detokenize(model->model->tokenizer(), shown, flags));
    specinfer::WriteBuffer(std::string_view(text), buffer, capacity,
                           out_length);
    return absl::OkStatus();
  });
}

specinfer_status specinfer_model_render_chat(
    const specinfer_model* model, const char* messages_json,
    size_t messages_length, const char* tools_json, size_t tools_length,
    int32_t add_generation_prompt, char* buffer, size_t capacity,
    size_t* out_length) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(model, "model"));
    SPECINFER_ASSIGN_OR_RETURN(
        const std::string_view messages,
        ReadText(messages_json, messages_length, "messages_json"));
    SPECINFER_ASSIGN_OR_RETURN(
        const std::string_view tools,
        ReadText(tools_json, tools_length, "tools_json"));
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckBuffer(buffer, capacity, out_length));
    SPECINFER_ASSIGN_OR_RETURN(
        const std::string text,
        model->model->RenderChat(messages, tools, /*variables_json=*/"",
                                 add_generation_prompt != 0));
    specinfer::WriteBuffer(std::string_view(text), buffer, capacity,
                           out_length);
    return absl::OkStatus();
  });
}

}  // extern "C"
