#include "src/model/huggingface_whisper.h"

#include <cstdint>
#include <string>

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/model/json_document.h"
#include "src/model/whisper_alignment.h"

namespace specinfer {
namespace {

using nlohmann::json;

struct Renaming {
  std::string_view from, to;
};
constexpr Renaming kOuterNames[] = {
    {"encoder.conv1", "enc.conv1"},
    {"encoder.conv2", "enc.conv2"},
    {"encoder.embed_positions", "enc.position_embd"},
    {"encoder.layer_norm", "enc.output_norm"},
    {"decoder.embed_tokens", "token_embd"},
    {"decoder.embed_positions", "position_embd"},
    {"decoder.layer_norm", "output_norm"},
};
constexpr Renaming kLayerNames[] = {
    {"self_attn_layer_norm", "attn_norm"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.out_proj", "attn_output"},
    {"encoder_attn_layer_norm", "cross_attn_norm"},
    {"encoder_attn.q_proj", "cross_attn_q"},
    {"encoder_attn.k_proj", "cross_attn_k"},
    {"encoder_attn.v_proj", "cross_attn_v"},
    {"encoder_attn.out_proj", "cross_attn_output"},
    {"final_layer_norm", "ffn_norm"},
    {"fc1", "ffn_up"},
    {"fc2", "ffn_down"},
};

bool Skip(std::string_view& text, std::string_view beginning) {
  if (text.substr(0, beginning.size()) != beginning) return false;
  text.remove_prefix(beginning.size());
  return true;
}

absl::Status Invalid(const HuggingfaceDocuments& documents,
                     std::string_view key, std::string_view what) {
  return absl::InvalidArgumentError(
      ModelMessage(documents.config_path, "\"", key, "\" ", what));
}

absl::Status ReadSize(const HuggingfaceDocuments& documents, const char* key,
                      uint64_t& size) {
  const json* member = FindMember(documents.config, key);
  if (member == nullptr) return Invalid(documents, key, "is missing");
  if (!member->is_number_unsigned())
    return Invalid(documents, key, "must be an unsigned integer");
  size = member->get<uint64_t>();
  return absl::OkStatus();
}

// `name`: what follows "layers.".
TensorPlace FindLayerPlace(bool is_encoder, std::string_view name,
                           std::string_view ending) {
  const size_t dot = name.find('.');
  if (dot == 0 || dot == std::string_view::npos || dot > 4) return {};
  const std::string_view layer = name.substr(0, dot);
  if (layer.find_first_not_of("0123456789") != std::string_view::npos)
    return {};
  name.remove_prefix(dot + 1);
  for (const Renaming& renaming : kLayerNames) {
    if (renaming.from != name) continue;
    if (ending == ".bias" &&
        (renaming.to == "attn_k" || renaming.to == "cross_attn_k"))
      return {/*is_known=*/true, ""};
    return {/*is_known=*/true, Cat(is_encoder ? "enc.blk." : "blk.", layer, ".",
                                   renaming.to, ending)};
  }
  return {};
}

}  // namespace

bool IsHuggingfaceWhisper(const json& config) {
  const json* type = FindMember(config, "model_type");
  const std::string* text =
      type == nullptr ? nullptr : type->get_ptr<const std::string*>();
  return text != nullptr && *text == "whisper";
}

absl::StatusOr<WhisperFacts> ReadHuggingfaceWhisper(
    const HuggingfaceDocuments& documents) {
  WhisperFacts facts;
  WhisperSizes& sizes = facts.sizes;
  uint64_t text_feed_forward = 0;
  const struct {
    const char* key;
    uint64_t* size;
  } members[] = {{"vocab_size", &sizes.vocabulary_size},
                 {"d_model", &sizes.hidden_size},
                 {"encoder_ffn_dim", &sizes.feed_forward_size},
                 {"decoder_ffn_dim", &text_feed_forward},
                 {"max_target_positions", &sizes.text_context},
                 {"decoder_layers", &sizes.text_layers},
                 {"decoder_attention_heads", &sizes.text_heads},
                 {"max_source_positions", &sizes.audio_context},
                 {"encoder_layers", &sizes.audio_layers},
                 {"encoder_attention_heads", &sizes.audio_heads},
                 {"num_mel_bins", &sizes.mel_bins}};
  for (const auto& member : members) {
    SPECINFER_RETURN_IF_ERROR(ReadSize(documents, member.key, *member.size));
  }
  if (text_feed_forward != sizes.feed_forward_size) {
    return absl::UnimplementedError(ModelMessage(
        documents.config_path, "\"decoder_ffn_dim\" is ", text_feed_forward,
        ", must be that of the encoder, ", sizes.feed_forward_size));
  }
  const json* activation = FindMember(documents.config, "activation_function");
  if (activation != nullptr && *activation != "gelu") {
    return absl::UnimplementedError(ModelMessage(
        documents.config_path, "\"activation_function\" must be \"gelu\""));
  }
  const json* scales = FindMember(documents.config, "scale_embedding");
  if (scales != nullptr && *scales != false) {
    return absl::UnimplementedError(ModelMessage(
        documents.config_path, "\"scale_embedding\" must be false"));
  }
  SPECINFER_RETURN_IF_ERROR(ReadAlignmentHeads(documents.config_path,
                                               documents.generation_config,
                                               facts.alignment_heads));
  return facts;
}

TensorPlace FindHuggingfaceWhisperPlace(std::string_view name) {
  if (name == "proj_out.weight") return {/*is_known=*/true, ""};
  Skip(name, "model.");
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return {};
  const std::string_view ending = name.substr(dot);
  if (ending != ".weight" && ending != ".bias") return {};
  name = name.substr(0, dot);
  for (const Renaming& renaming : kOuterNames) {
    if (renaming.from == name)
      return {/*is_known=*/true, Cat(renaming.to, ending)};
  }
  if (Skip(name, "encoder.layers.")) return FindLayerPlace(true, name, ending);
  return Skip(name, "decoder.layers.") ? FindLayerPlace(false, name, ending)
                                       : TensorPlace();
}

}  // namespace specinfer
