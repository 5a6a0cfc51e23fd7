#include "src/forward/architectures.h"

#include <array>
#include <cmath>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"

namespace specinfer {
namespace {

struct KnownArchitecture {
  std::string_view name;
  absl::StatusOr<Architecture> (*describe)(const ModelFile& file);
};

constexpr std::array<KnownArchitecture, 5> kKnownArchitectures = {
    {{"llama", DescribeLlama},
     {"qwen2", DescribeQwen2},
     {"qwen3", DescribeQwen3},
     {"gemma3", DescribeGemma3},
     {"whisper", DescribeWhisper}}};

absl::StatusOr<double> GetPositive(const ModelFile& file,
                                   const std::string& key, double absent) {
  SPECINFER_ASSIGN_OR_RETURN(const double value, file.GetFloatOr(key, absent));
  if (!(value > 0.0) || !std::isfinite(value)) {
    return absl::InvalidArgumentError(ModelMessage(
        file.path(), "\"", key, "\" is ", value, ", must be a number above 0"));
  }
  return value;
}

// One value for all layers; files may hold an array, which must then be
// constant here.
absl::StatusOr<int32_t> GetUniformSize(const ModelFile& file,
                                       const std::string& key,
                                       size_t num_layers, int64_t maximum) {
  SPECINFER_ASSIGN_OR_RETURN(const std::vector<uint64_t> values,
                             file.GetUintPerLayer(key, num_layers));
  for (const uint64_t value : values) {
    if (value < 1 || value > static_cast<uint64_t>(maximum)) {
      return absl::InvalidArgumentError(
          ModelMessage(file.path(), "\"", key, "\" is ", value,
                       ", must be from 1 to ", maximum));
    }
    if (value != values[0]) {
      return absl::UnimplementedError(
          ModelMessage(file.path(), "\"", key,
                       "\" differs between layers, which is not supported"));
    }
  }
  return static_cast<int32_t>(values[0]);
}

}  // namespace

absl::StatusOr<int32_t> GetSize(const ModelFile& file, const std::string& key,
                                int64_t minimum, int64_t maximum,
                                int64_t absent) {
  uint64_t value = 0;
  if (absent >= 0) {
    SPECINFER_ASSIGN_OR_RETURN(
        value, file.GetUintOr(key, static_cast<uint64_t>(absent)));
  } else {
    SPECINFER_ASSIGN_OR_RETURN(value, file.GetUint(key));
  }
  if (value < static_cast<uint64_t>(minimum) ||
      value > static_cast<uint64_t>(maximum)) {
    return absl::InvalidArgumentError(
        ModelMessage(file.path(), "\"", key, "\" is ", value, ", must be from ",
                     minimum, " to ", maximum));
  }
  return static_cast<int32_t>(value);
}

absl::StatusOr<Architecture> DescribeArchitecture(const ModelFile& file) {
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view name,
                             file.GetString("general.architecture"));
  std::string known;
  for (const KnownArchitecture& architecture : kKnownArchitectures) {
    if (architecture.name == name) return architecture.describe(file);
    known.append(known.empty() ? "" : ", ").append(architecture.name);
  }
  return absl::UnimplementedError(
      ModelMessage(file.path(), "architecture \"", name,
                   "\" is not known; these are: ", known));
}

absl::StatusOr<Architecture> DescribeDecoder(const ModelFile& file) {
  Architecture a;
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view name,
                             file.GetString("general.architecture"));
  a.name = std::string(name);
  const std::string prefix = a.name + ".";
  SPECINFER_ASSIGN_OR_RETURN(const int32_t num_layers,
                             GetSize(file, prefix + "block_count", 1, 512));
  a.layers.resize(static_cast<size_t>(num_layers));
  SPECINFER_ASSIGN_OR_RETURN(
      a.hidden_size, GetSize(file, prefix + "embedding_length", 1, 1 << 17));
  SPECINFER_ASSIGN_OR_RETURN(
      a.max_context, GetSize(file, prefix + "context_length", 1, 1 << 26));
  SPECINFER_ASSIGN_OR_RETURN(
      a.feed_forward_size, GetUniformSize(file, prefix + "feed_forward_length",
                                          a.layers.size(), 1 << 19));
  SPECINFER_ASSIGN_OR_RETURN(
      a.heads, GetUniformSize(file, prefix + "attention.head_count",
                              a.layers.size(), 1 << 12));
  a.kv_heads = a.heads;
  if (file.Find(prefix + "attention.head_count_kv") != nullptr) {
    SPECINFER_ASSIGN_OR_RETURN(
        a.kv_heads, GetUniformSize(file, prefix + "attention.head_count_kv",
                                   a.layers.size(), a.heads));
  }
  if (a.heads % a.kv_heads != 0) {
    return absl::InvalidArgumentError(ModelMessage(
        file.path(), "", a.heads, " attention heads are not a multiple of ",
        a.kv_heads, " key-value heads"));
  }
  SPECINFER_ASSIGN_OR_RETURN(
      a.head_dim, GetSize(file, prefix + "attention.key_length", 1, kMaxHeadDim,
                          std::max(1, a.hidden_size / a.heads)));
  SPECINFER_ASSIGN_OR_RETURN(const int32_t value_dim,
                             GetSize(file, prefix + "attention.value_length", 1,
                                     kMaxHeadDim, a.head_dim));
  if (value_dim != a.head_dim) {
    return absl::UnimplementedError(
        ModelMessage(file.path(), "\"", prefix, "attention.value_length\" is ",
                     value_dim, ", keys are ", a.head_dim,
                     " wide; different widths are not supported"));
  }
  SPECINFER_ASSIGN_OR_RETURN(a.rotary_dims,
                             GetSize(file, prefix + "rope.dimension_count", 0,
                                     a.head_dim, a.head_dim));
  a.rotary_dims -= a.rotary_dims % 2;
  SPECINFER_ASSIGN_OR_RETURN(
      const double epsilon,
      GetPositive(file, prefix + "attention.layer_norm_rms_epsilon", 1e-6));
  a.norm_epsilon = static_cast<float>(epsilon);
  SPECINFER_ASSIGN_OR_RETURN(const bool norm_plus_one,
                             file.GetBoolOr("specinfer.norm_plus_one", false));
  a.norm_weight_offset = norm_plus_one ? 1.0f : 0.0f;
  a.attention_scale = 1.0f / std::sqrt(static_cast<float>(a.head_dim));
  SPECINFER_ASSIGN_OR_RETURN(
      const double freq_base,
      GetPositive(file, prefix + "rope.freq_base", 10000.0));
  SPECINFER_ASSIGN_OR_RETURN(
      Rope rope, DescribeRope(file, prefix, freq_base, a.rotary_dims));
  a.ropes.push_back(std::move(rope));
  const TensorRecord* embedding = file.FindTensor("token_embd.weight");
  if (embedding == nullptr || embedding->dims[1] < 1 ||
      embedding->dims[1] > (1 << 24)) {
    return absl::InvalidArgumentError(ModelMessage(
        file.path(), "tensor \"token_embd.weight\" is missing or has no rows"));
  }
  a.vocabulary_size = static_cast<int32_t>(embedding->dims[1]);
  return a;
}

}  // namespace specinfer
