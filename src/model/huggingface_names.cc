#include "src/model/huggingface_names.h"

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

#include "src/model/huggingface_whisper.h"

namespace specinfer {
namespace {

struct Renaming {
  std::string_view from;
  std::string_view to;
};
constexpr Renaming kLayerNames[] = {
    {"self_attn.q_proj", "attn_q"},      {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},      {"self_attn.o_proj", "attn_output"},
    {"self_attn.q_norm", "attn_q_norm"}, {"self_attn.k_norm", "attn_k_norm"},
    {"mlp.gate_proj", "ffn_gate"},       {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},       {"input_layernorm", "attn_norm"},
};
constexpr Renaming kTwoNormNames[] = {{"post_attention_layernorm", "ffn_norm"}};
constexpr Renaming kFourNormNames[] = {
    {"post_attention_layernorm", "post_attention_norm"},
    {"pre_feedforward_layernorm", "ffn_norm"},
    {"post_feedforward_layernorm", "post_ffw_norm"},
};

bool StartsWith(std::string_view text, std::string_view beginning) {
  return text.substr(0, beginning.size()) == beginning;
}
bool EndsWith(std::string_view text, std::string_view ending) {
  return text.size() >= ending.size() &&
         text.substr(text.size() - ending.size()) == ending;
}
bool Skip(std::string_view& text, std::string_view beginning) {
  if (!StartsWith(text, beginning)) return false;
  text.remove_prefix(beginning.size());
  return true;
}

std::string_view FindRenaming(absl::Span<const Renaming> renamings,
                              std::string_view name) {
  for (const Renaming& renaming : renamings) {
    if (renaming.from == name) return renaming.to;
  }
  return {};
}

// `name`: what follows "layers.".
TensorPlace FindLayerPlace(bool has_four_norms, std::string_view name) {
  const size_t dot = name.find('.');
  if (dot == 0 || dot == std::string_view::npos || dot > 5) return {};
  const std::string_view layer = name.substr(0, dot);
  if (layer.find_first_not_of("0123456789") != std::string_view::npos)
    return {};
  name.remove_prefix(dot + 1);
  if (name == "self_attn.rotary_emb.inv_freq") return {/*is_known=*/true, ""};
  const std::string_view ending =
      EndsWith(name, ".weight") ? ".weight" : ".bias";
  if (!EndsWith(name, ending)) return {};
  name.remove_suffix(ending.size());
  std::string_view renamed = FindRenaming(kLayerNames, name);
  if (renamed.empty()) {
    renamed = has_four_norms ? FindRenaming(kFourNormNames, name)
                             : FindRenaming(kTwoNormNames, name);
  }
  if (renamed.empty()) return {};
  return {/*is_known=*/true,
          absl::StrCat("blk.", std::string(layer), ".", std::string(renamed),
                       std::string(ending))};
}

}  // namespace

TensorPlace FindTensorPlace(const HuggingfaceNaming& naming,
                            std::string_view name) {
  if (naming.architecture == "whisper")
    return FindHuggingfaceWhisperPlace(name);
  const bool is_gemma = naming.architecture == "gemma3";
  for (const std::string_view part :
       {"vision_tower.", "multi_modal_projector.", "model.vision_tower.",
        "model.multi_modal_projector."}) {
    if (is_gemma && StartsWith(name, part)) return {/*is_known=*/true, ""};
  }
  if (!Skip(name, "model.language_model.") &&
      !Skip(name, "language_model.model.") && !Skip(name, "language_model.")) {
    Skip(name, "model.");
  }
  if (name == "lm_head.weight")
    return {/*is_known=*/true, naming.is_tied ? "" : "output.weight"};
  if (name == "embed_tokens.weight")
    return {/*is_known=*/true, "token_embd.weight"};
  if (name == "norm.weight") return {/*is_known=*/true, "output_norm.weight"};
  if (name == "rotary_emb.inv_freq") return {/*is_known=*/true, ""};
  return Skip(name, "layers.") ? FindLayerPlace(is_gemma, name) : TensorPlace();
}

}  // namespace specinfer
