#include "src/model/ctranslate2_names.h"

#include <array>

#include "absl/strings/str_cat.h"

#include "src/base/text.h"

namespace specinfer {
namespace {

struct Renaming {
  std::string_view from;
  std::array<std::string_view, 3> to;  // empty: no more parts
};
constexpr Renaming kOuterNames[] = {
    {"encoder/conv1", {"enc.conv1"}},
    {"encoder/conv2", {"enc.conv2"}},
    {"encoder/position_encodings", {"enc.position_embd"}},
    {"encoder/layer_norm", {"enc.output_norm"}},
    {"decoder/embeddings", {"token_embd"}},
    {"decoder/position_encodings", {"position_embd"}},
    {"decoder/layer_norm", {"output_norm"}},
};
constexpr Renaming kLayerNames[] = {
    {"self_attention/layer_norm", {"attn_norm"}},
    {"self_attention/linear_0", {"attn_q", "attn_k", "attn_v"}},
    {"self_attention/linear_1", {"attn_output"}},
    {"attention/layer_norm", {"cross_attn_norm"}},
    {"attention/linear_0", {"cross_attn_q"}},
    {"attention/linear_1", {"cross_attn_k", "cross_attn_v"}},
    {"attention/linear_2", {"cross_attn_output"}},
    {"ffn/layer_norm", {"ffn_norm"}},
    {"ffn/linear_0", {"ffn_up"}},
    {"ffn/linear_1", {"ffn_down"}},
};

bool Skip(std::string_view& text, std::string_view beginning) {
  if (text.substr(0, beginning.size()) != beginning) return false;
  text.remove_prefix(beginning.size());
  return true;
}

// ".weight", ".bias", or empty for an ending that no tensor has.
std::string_view FindEnding(std::string_view ending) {
  if (ending == "weight" || ending == "gamma" || ending == "encodings")
    return ".weight";
  return ending == "bias" || ending == "beta" ? ".bias" : "";
}

// Takes "layer_12/" off and leaves "12"; empty where there is none.
std::string_view TakeLayer(std::string_view& name) {
  if (!Skip(name, "layer_")) return {};
  const size_t slash = name.find('/');
  if (slash == 0 || slash == std::string_view::npos || slash > 4) return {};
  const std::string_view layer = name.substr(0, slash);
  if (layer.find_first_not_of("0123456789") != std::string_view::npos ||
      (layer.size() > 1 && layer[0] == '0'))
    return {};
  name.remove_prefix(slash + 1);
  return layer;
}

}  // namespace

std::vector<std::string> FindCtranslate2Parts(std::string_view name) {
  const size_t slash = name.rfind('/');
  if (slash == std::string_view::npos) return {};
  const std::string_view ending = FindEnding(name.substr(slash + 1));
  if (ending.empty()) return {};
  name = name.substr(0, slash);
  for (const Renaming& renaming : kOuterNames) {
    if (renaming.from == name) return {Cat(renaming.to[0], ending)};
  }
  const bool is_encoder = Skip(name, "encoder/");
  if (!is_encoder && !Skip(name, "decoder/")) return {};
  const std::string_view layer = TakeLayer(name);
  if (layer.empty()) return {};
  std::vector<std::string> parts;
  for (const Renaming& renaming : kLayerNames) {
    if (renaming.from != name) continue;
    for (const std::string_view part : renaming.to) {
      const bool is_left_out =
          ending == ".bias" && (part == "attn_k" || part == "cross_attn_k");
      if (part.empty()) break;
      parts.push_back(is_left_out ? std::string()
                                  : Cat(is_encoder ? "enc.blk." : "blk.", layer,
                                        ".", part, ending));
    }
  }
  return parts;
}

}  // namespace specinfer
