#include "src/model/placements.h"

#include <array>
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
  void Norm(std::string name, const Architecture& a, NormWeights* to) {
    Norm(name, a.hidden_size, &to->weight);
    if (a.norm_kind == NormKind::kRms) return;
    placements_.push_back({.name = absl::StrCat(name, ".bias"),
                           .inputs = a.hidden_size,
                           .vector = &to->bias});
  }
  void Table(std::string name, int64_t rows, int64_t width, Tensor* to) {
    placements_.push_back(
        {.name = std::move(name), .inputs = width, .rows = rows, .vector = to});
  }
  void Convolution(std::string name, int64_t outputs, int64_t channels,
                   LinearWeights* to) {
    constexpr int64_t kTaps = 3;
    Matrix(std::move(name), outputs, channels * kTaps, to);
    placements_[placements_.size() - 2].taps = kTaps;
  }
  void MakeLastMatrixOptional() {
    placements_[placements_.size() - 2].is_optional = true;
  }
  std::vector<Placement>& placements() { return placements_; }

 private:
  std::vector<Placement> placements_;
};

void ListAttention(const Architecture& a, const std::string& prefix,
                   LayerWeights* layer, PlacementList* list) {
  const int64_t hidden = a.hidden_size;
  const int64_t attention = int64_t{a.heads} * a.head_dim;
  const int64_t kv = int64_t{a.kv_heads} * a.head_dim;
  list->Norm(prefix + "attn_norm", a, &layer->attention_norm);
  list->Matrix(prefix + "attn_q", attention, hidden, &layer->query);
  list->Matrix(prefix + "attn_k", kv, hidden, &layer->key);
  list->Matrix(prefix + "attn_v", kv, hidden, &layer->value);
  list->Matrix(prefix + "attn_output", hidden, attention,
               &layer->attention_output);
}

void ListFeedForward(const Architecture& a, int64_t size,
                     const std::string& prefix, LayerWeights* layer,
                     PlacementList* list) {
  list->Norm(prefix + "ffn_norm", a, &layer->feed_forward_norm);
  if (a.has_gate)
    list->Matrix(prefix + "ffn_gate", size, a.hidden_size, &layer->gate);
  list->Matrix(prefix + "ffn_up", size, a.hidden_size, &layer->up);
  list->Matrix(prefix + "ffn_down", a.hidden_size, size, &layer->down);
}

void ListEncoder(const Architecture& a, EncoderWeights* weights,
                 PlacementList* list) {
  const EncoderArchitecture& encoder = a.encoder;
  list->Convolution("enc.conv1", a.hidden_size, encoder.mel_bins,
                    &weights->convolution1);
  list->Convolution("enc.conv2", a.hidden_size, a.hidden_size,
                    &weights->convolution2);
  list->Table("enc.position_embd.weight", encoder.max_positions, a.hidden_size,
              &weights->positions);
  weights->layers.resize(static_cast<size_t>(encoder.num_layers));
  for (size_t i = 0; i < weights->layers.size(); ++i) {
    const std::string prefix = absl::StrCat("enc.blk.", i, ".");
    ListAttention(a, prefix, &weights->layers[i], list);
    ListFeedForward(a, encoder.feed_forward_size, prefix, &weights->layers[i],
                    list);
  }
  list->Norm("enc.output_norm", a, &weights->output_norm);
}

void ListCrossAttention(const Architecture& a, const std::string& prefix,
                        LayerWeights* layer, PlacementList* list) {
  const int64_t attention = int64_t{a.heads} * a.head_dim;
  const int64_t kv = int64_t{a.kv_heads} * a.head_dim;
  list->Norm(prefix + "cross_attn_norm", a, &layer->cross_norm);
  list->Matrix(prefix + "cross_attn_q", attention, a.hidden_size,
               &layer->cross_query);
  list->Matrix(prefix + "cross_attn_k", kv, a.hidden_size, &layer->cross_key);
  list->Matrix(prefix + "cross_attn_v", kv, a.hidden_size, &layer->cross_value);
  list->Matrix(prefix + "cross_attn_output", a.hidden_size, attention,
               &layer->cross_output);
}

}  // namespace

std::vector<Placement> ListPlacements(const Architecture& a, Weights* weights) {
  PlacementList list;
  const int64_t hidden = a.hidden_size;
  if (a.has_encoder()) ListEncoder(a, &weights->encoder, &list);
  list.Matrix("token_embd", a.vocabulary_size, hidden, &weights->embedding);
  if (a.has_learned_positions)
    list.Table("position_embd.weight", a.max_context, hidden,
               &weights->positions);
  weights->layers.resize(a.layers.size());
  for (size_t i = 0; i < a.layers.size(); ++i) {
    LayerWeights& layer = weights->layers[i];
    const std::string prefix = absl::StrCat("blk.", i, ".");
    ListAttention(a, prefix, &layer, &list);
    if (a.has_encoder()) ListCrossAttention(a, prefix, &layer, &list);
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
    ListFeedForward(a, a.feed_forward_size, prefix, &layer, &list);
  }
  list.Norm("output_norm", a, &weights->output_norm);
  list.Matrix("output", a.vocabulary_size, hidden, &weights->untied_head);
  list.MakeLastMatrixOptional();
  return std::move(list.placements());
}

namespace {

// What drafts fastest. Types of up to six bits stay: Q4_0 in place of Q5_0
// would read an eighth less of the 0.5B model a step, and raise its perplexity
// by 7 %.
DType DraftingType(DType dtype, int64_t inputs) {
  switch (dtype) {
    case DType::kQ6_K:
    case DType::kQ8_0:
    case DType::kF16:
    case DType::kBF16:
    case DType::kF32:
      return inputs % GetDTypeTraits(DType::kQ4_0).block_elements == 0
                 ? DType::kQ4_0
                 : dtype;
    default:
      return dtype;
  }
}

// A table of which a pass reads single rows: an embedding that is no head too.
bool IsLookUpTable(const Placement& place, const ModelFile& file) {
  return place.name == "token_embd.weight" &&
         file.FindTensor("output.weight") != nullptr;
}

}  // namespace

DType PackedTypeOf(const ModelFile& file, const Placement& place,
                   const TensorRecord& tensor, WeightForm form) {
  const DType dtype = tensor.dtype;
  const bool is_float =
      dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
  if (file.is_packed() || IsLookUpTable(place, file)) return dtype;
  if (form == WeightForm::kForDrafting)
    return DraftingType(dtype, place.inputs);
  if (form == WeightForm::kInt8 && is_float) return DType::kQ8_K;
  return dtype;
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
  const int64_t outputs = is_vector ? place.rows : place.outputs;
  // A packed convolution is a matrix.
  const bool has_taps = place.taps > 1 && !tensor->is_packed;
  const std::array<int64_t, 4> dims =
      has_taps ? std::array<int64_t, 4>{place.taps, place.inputs / place.taps,
                                        outputs, 1}
               : std::array<int64_t, 4>{place.inputs, outputs, 1, 1};
  if (tensor->dims != dims) {
    return absl::InvalidArgumentError(ModelMessage(
        file.path(), "tensor \"", place.name, "\" is [", tensor->dims[0], ", ",
        tensor->dims[1], ", ", tensor->dims[2], "], architecture says [",
        dims[0], ", ", dims[1], ", ", dims[2], "]"));
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
  std::vector<float> values(static_cast<size_t>(place.rows * place.inputs));
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
