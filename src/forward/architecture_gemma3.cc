#include <algorithm>
#include <cmath>
#include <variant>

#include "src/base/status_macros.h"
#include "src/forward/architectures.h"

namespace specinfer {
namespace {

constexpr char kPatternKey[] = "gemma3.attention.sliding_window_pattern";
constexpr size_t kLayersOf27B =
    62;  // the one size that scales queries by hidden_size / heads

// Which layers see only the window: all but every sixth, where the file does
// not say otherwise.
absl::StatusOr<std::vector<bool>> DescribeLocalLayers(const ModelFile& file,
                                                      size_t num_layers) {
  const MetadataValue* value = file.Find(kPatternKey);
  if (value != nullptr && std::holds_alternative<NumberArray>(*value)) {
    const NumberArray& array = std::get<NumberArray>(*value);
    if (array.size() < num_layers) {
      return absl::InvalidArgumentError(
          ModelMessage(file.path(), "\"", kPatternKey, "\" has ", array.size(),
                       " values for ", num_layers, " layers"));
    }
    std::vector<bool> is_local(num_layers);
    for (size_t i = 0; i < num_layers; ++i) is_local[i] = array.Int(i) != 0;
    return is_local;
  }
  SPECINFER_ASSIGN_OR_RETURN(const uint64_t pattern,
                             file.GetUintOr(kPatternKey, 6));
  if (pattern < 1) {
    return absl::InvalidArgumentError(ModelMessage(
        file.path(), "\"", kPatternKey, "\" is 0, must be at least 1"));
  }
  std::vector<bool> is_local(num_layers);
  for (size_t i = 0; i < num_layers; ++i) is_local[i] = (i + 1) % pattern != 0;
  return is_local;
}

absl::StatusOr<float> DescribeAttentionScale(const ModelFile& file,
                                             const Architecture& a) {
  const bool is_27b = a.layers.size() == kLayersOf27B;
  const float query_dim =
      static_cast<float>(is_27b ? a.hidden_size / a.heads : a.head_dim);
  SPECINFER_ASSIGN_OR_RETURN(
      const double scale,
      file.GetFloatOr("gemma3.attention.scale", 1.0f / std::sqrt(query_dim)));
  return static_cast<float>(scale);
}

}  // namespace

// Local layers have a window and their own RoPE base without scaling; norms
// before and after each block, and on heads.
absl::StatusOr<Architecture> DescribeGemma3(const ModelFile& file) {
  SPECINFER_ASSIGN_OR_RETURN(Architecture a, DescribeDecoder(file));
  SPECINFER_ASSIGN_OR_RETURN(const uint64_t window,
                             file.GetUint("gemma3.attention.sliding_window"));
  SPECINFER_ASSIGN_OR_RETURN(
      const double local_base,
      file.GetFloatOr("gemma3.rope.freq_base_swa", 10000.0));
  SPECINFER_ASSIGN_OR_RETURN(const double global_base,
                             file.GetFloatOr("gemma3.rope.freq_base", 1e6));
  if (window < 1 || window > (1u << 26) || !(local_base > 0.0) ||
      !(global_base > 0.0)) {
    return absl::InvalidArgumentError(
        ModelMessage(file.path(),
                     "\"gemma3.attention.sliding_window\" and both RoPE bases "
                     "must be above 0"));
  }
  SPECINFER_ASSIGN_OR_RETURN(
      a.ropes[0], DescribeRope(file, "gemma3.", global_base, a.rotary_dims));
  a.ropes.push_back(PlainRope(local_base, a.rotary_dims));
  SPECINFER_ASSIGN_OR_RETURN(const std::vector<bool> is_local,
                             DescribeLocalLayers(file, a.layers.size()));
  for (size_t i = 0; i < a.layers.size(); ++i) {
    if (is_local[i])
      a.layers[i] = {.window = static_cast<int32_t>(window), .rope = 1};
  }
  a.has_head_norms = true;
  a.has_post_norms = true;
  a.activation = Activation::kGeluTanh;
  a.embedding_multiplier = std::sqrt(static_cast<float>(a.hidden_size));
  SPECINFER_ASSIGN_OR_RETURN(a.attention_scale,
                             DescribeAttentionScale(file, a));
  SPECINFER_ASSIGN_OR_RETURN(
      const double soft_cap,
      file.GetFloatOr("gemma3.final_logit_softcapping", 0.0));
  a.logit_soft_cap = static_cast<float>(soft_cap);
  return a;
}

}  // namespace specinfer
