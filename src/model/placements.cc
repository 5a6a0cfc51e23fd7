#include "src/model/placements.h"

#include <cstring>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "src/base/half.h"

namespace specinfer {
namespace {

class PlacementList {
 public:
  void Matrix(std::string name, int64_t outputs, int64_t inputs,
              LinearWeights* to) {
    placements_.push_back({.name = absl::StrCat(name, ".weight"),
                           .outputs = outputs,
                           .inputs = inputs,
                           .weight = &to->weight});
    placements_.push_back({.name = absl::StrCat(name, ".bias"),
                           .inputs = outputs,
                           .is_optional = true,
                           .vector = &to->bias});
  }
  void Norm(std::string name, int64_t width, Tensor* to) {
    placements_.push_back({.name = absl::StrCat(name, ".weight"),
                           .inputs = width,
                           .is_norm = true,
                           .vector = to});
  }
  void MakeLastMatrixOptional() {
    placements_[placements_.size() - 2].is_optional = true;
  }
  std::vector<Placement>& placements() { return placements_; }

 private:
  std::vector<Placement> placements_;
};

}  // namespace

std::vector<Placement> ListPlacements(const Architecture& a, Weights* weights) {
  PlacementList list;
  const int64_t hidden = a.hidden_size;
  const int64_t attention = int64_t{a.heads} * a.head_dim;
  const int64_t kv = int64_t{a.kv_heads} * a.head_dim;
  list.Matrix("token_embd", a.vocabulary_size, hidden, &weights->embedding);
  weights->layers.resize(a.layers.size());
  for (size_t i = 0; i < a.layers.size(); ++i) {
    LayerWeights& layer = weights->layers[i];
    const std::string prefix = absl::StrCat("blk.", i, ".");
    list.Norm(prefix + "attn_norm", hidden, &layer.attention_norm);
    list.Matrix(prefix + "attn_q", attention, hidden, &layer.query);
    list.Matrix(prefix + "attn_k", kv, hidden, &layer.key);
    list.Matrix(prefix + "attn_v", kv, hidden, &layer.value);
    list.Matrix(prefix + "attn_output", hidden, attention,
                &layer.attention_output);
    if (a.has_head_norms) {
      list.Norm(prefix + "attn_q_norm", a.head_dim, &layer.query_norm);
      list.Norm(prefix + "attn_k_norm", a.head_dim, &layer.key_norm);
    }
    if (a.has_post_norms) {
      list.Norm(prefix + "post_attention_norm", hidden,
                &layer.post_attention_norm);
      list.Norm(prefix + "post_ffw_norm", hidden,
                &layer.post_feed_forward_norm);
    }
    list.Norm(prefix + "ffn_norm", hidden, &layer.feed_forward_norm);
    list.Matrix(prefix + "ffn_gate", a.feed_forward_size, hidden, &layer.gate);
    list.Matrix(prefix + "ffn_up", a.feed_forward_size, hidden, &layer.up);
    list.Matrix(prefix + "ffn_down", hidden, a.feed_forward_size, &layer.down);
  }
  list.Norm("output_norm", hidden, &weights->output_norm);
  list.Matrix("output", a.vocabulary_size, hidden, &weights->untied_head);
  list.MakeLastMatrixOptional();
  return std::move(list.placements());
}

absl::StatusOr<const TensorRecord*> FindPlaced(const ModelFile& file,
                                               const Placement& place) {
  const TensorRecord* tensor = file.FindTensor(place.name);
  if (tensor == nullptr) {
    if (place.is_optional) return nullptr;
    return absl::InvalidArgumentError(ModelMessage(
        file.path(), "tensor \"", place.name,
        "\" is missing; the file is incomplete or of another architecture"));
  }
  const bool is_vector = place.outputs == 0;
  if (tensor->is_packed != (file.is_packed() && !is_vector)) {
    return absl::InvalidArgumentError(ModelMessage(
        file.path(), "tensor \"", place.name,
        is_vector ? "\" is packed, but is a vector" : "\" is not packed"));
  }
  const int64_t outputs = is_vector ? 1 : place.outputs;
  if (tensor->dims[0] != place.inputs || tensor->dims[1] != outputs ||
      tensor->dims[2] != 1 || tensor->dims[3] != 1) {
    return absl::InvalidArgumentError(ModelMessage(
        file.path(), "tensor \"", place.name, "\" is [", tensor->dims[0], ", ",
        tensor->dims[1], ", ", tensor->dims[2], "], architecture says [",
        place.inputs, ", ", outputs, "]"));
  }
  if (is_vector && tensor->dtype != DType::kF32 &&
      tensor->dtype != DType::kF16 && tensor->dtype != DType::kBF16) {
    return absl::UnimplementedError(ModelMessage(
        file.path(), "vector \"", place.name, "\" is ",
        GetDTypeTraits(tensor->dtype).name, "; F32, F16 and BF16 can be read"));
  }
  return tensor;
}

std::vector<float> ReadVector(const Architecture& architecture,
                              const Placement& place,
                              const TensorRecord& tensor) {
  const float offset = place.is_norm ? architecture.norm_weight_offset : 0.0f;
  std::vector<float> values(static_cast<size_t>(tensor.dims[0]));
  for (size_t i = 0; i < values.size(); ++i) {
    if (tensor.dtype == DType::kF32) {
      std::memcpy(&values[i], tensor.bytes.data() + i * sizeof(float),
                  sizeof(float));
    } else {
      uint16_t half = 0;
      std::memcpy(&half, tensor.bytes.data() + i * sizeof(half), sizeof(half));
      values[i] = tensor.dtype == DType::kF16 ? HalfToFloat(half)
                                              : BFloat16ToFloat(half);
    }
    values[i] += offset;
  }
  return values;
}

absl::Status CheckAllPlaced(const ModelFile& file,
                            const std::vector<Placement>& placements) {
  absl::flat_hash_set<std::string_view> read = {"rope_freqs.weight"};
  for (const Placement& place : placements) read.insert(place.name);
  for (const TensorRecord& tensor : file.tensors()) {
    if (read.contains(tensor.name)) continue;
    return absl::UnimplementedError(ModelMessage(
        file.path(), "tensor \"", tensor.name,
        "\" is not a part of this architecture as this library knows it"));
  }
  return absl::OkStatus();
}

}  // namespace specinfer
