#include "src/model/weights.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "src/base/half.h"
#include "src/base/status_macros.h"

namespace specinfer {
namespace {

constexpr size_t kAlignment = 64;

// Where one tensor of the file goes: a matrix to be packed or a vector to be
// copied.
struct Placement {
  std::string name;
  int64_t outputs = 0;  // 0: a vector
  int64_t inputs = 0;
  bool is_norm = false;
  bool is_optional = false;
  std::unique_ptr<Weight>* weight = nullptr;
  Tensor* vector = nullptr;
};

size_t VectorBytes(int64_t width) {
  return (static_cast<size_t>(width) * sizeof(float) + kAlignment - 1) /
         kAlignment * kAlignment;
}

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

// Every tensor that the architecture uses, under its GGUF name.
std::vector<Placement> ListPlacements(const Architecture& a, Weights* weights) {
  PlacementList list;
  const int64_t hidden = a.hidden_size;
  const int64_t attention = int64_t{a.heads} * a.head_dim;
  const int64_t kv = int64_t{a.kv_heads} * a.head_dim;
  list.Matrix("token_embd", a.vocabulary_size, hidden, &weights->embedding);
  list.Matrix("output", a.vocabulary_size, hidden, &weights->untied_head);
  list.MakeLastMatrixOptional();
  list.Norm("output_norm", hidden, &weights->output_norm);
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
  return std::move(list.placements());
}

// The tensor's record after its shape has been checked; null when it is absent
// and may be.
absl::StatusOr<const TensorRecord*> FindChecked(const ModelFile& file,
                                                const Placement& place) {
  const TensorRecord* tensor = file.FindTensor(place.name);
  if (tensor == nullptr) {
    if (place.is_optional) return nullptr;
    return absl::InvalidArgumentError(ModelMessage(
        file.path(), "tensor \"", place.name,
        "\" is missing; the file is incomplete or of another architecture"));
  }
  const bool is_vector = place.outputs == 0;
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

std::vector<float> ReadVector(const TensorRecord& tensor, float offset) {
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

// A tensor that nobody reads would be a part of the network left out: wrong
// answers instead of an error.
absl::Status CheckAllRead(const ModelFile& file,
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

}  // namespace

absl::StatusOr<uint64_t> PlanWeightBytes(const ModelFile& file,
                                         const Architecture& architecture,
                                         const Backend& backend) {
  Weights weights;
  uint64_t num_bytes = 0;
  for (const Placement& place : ListPlacements(architecture, &weights)) {
    SPECINFER_ASSIGN_OR_RETURN(const TensorRecord* tensor,
                               FindChecked(file, place));
    if (tensor == nullptr) continue;
    num_bytes +=
        place.weight != nullptr
            ? backend.PackedBytes(tensor->dtype, place.outputs, place.inputs)
            : VectorBytes(place.inputs);
  }
  return num_bytes;
}

absl::StatusOr<Weights> LoadWeights(
    const ModelFile& file, const Architecture& architecture, Backend& backend,
    const std::function<bool(float)>& progress) {
  Weights weights;
  struct Found {
    const Placement* place = nullptr;
    const TensorRecord* tensor = nullptr;
  };
  const std::vector<Placement> placements =
      ListPlacements(architecture, &weights);
  SPECINFER_RETURN_IF_ERROR(CheckAllRead(file, placements));
  std::vector<Found> found;
  size_t vector_bytes = 0;
  uint64_t total_bytes = 0;
  for (const Placement& place : placements) {
    SPECINFER_ASSIGN_OR_RETURN(const TensorRecord* tensor,
                               FindChecked(file, place));
    if (tensor == nullptr) continue;
    found.push_back({&place, tensor});
    total_bytes += tensor->bytes.size();
    if (place.vector != nullptr) vector_bytes += VectorBytes(place.inputs);
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return a.tensor->bytes.data() < b.tensor->bytes.data();
  });

  SPECINFER_ASSIGN_OR_RETURN(
      weights.vectors, backend.Allocate(vector_bytes, "norms and biases"));
  SPECINFER_ASSIGN_OR_RETURN(const std::unique_ptr<Stream> stream,
                             backend.CreateStream({}));
  stream->Begin({}, /*resume=*/false);
  size_t offset = 0;
  uint64_t done_bytes = 0;
  for (const Found& item : found) {
    const Placement& place = *item.place;
    if (place.weight != nullptr) {
      SPECINFER_ASSIGN_OR_RETURN(*place.weight,
                                 backend.Pack({.dtype = item.tensor->dtype,
                                               .outputs = place.outputs,
                                               .inputs = place.inputs,
                                               .bytes = item.tensor->bytes,
                                               .name = place.name}));
      file.Release(*item.tensor);
    } else {
      *place.vector = {weights.vectors.get(), offset, 1, place.inputs};
      const float norm_offset =
          place.is_norm ? architecture.norm_weight_offset : 0.0f;
      SPECINFER_RETURN_IF_ERROR(
          stream->CopyIn(ReadVector(*item.tensor, norm_offset), *place.vector));
      offset += VectorBytes(place.inputs);
    }
    done_bytes += item.tensor->bytes.size();
    if (progress && !progress(static_cast<float>(done_bytes) /
                              static_cast<float>(total_bytes))) {
      return absl::CancelledError(
          absl::StrCat("loading \"", file.path(), "\" was cancelled"));
    }
  }
  SPECINFER_RETURN_IF_ERROR(stream->Wait());
  return weights;
}

}  // namespace specinfer
