#include "src/model/weights.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"
#include "src/model/placements.h"

namespace specinfer {
namespace {

constexpr size_t kAlignment = 64;
// How far ahead of packing a file is read: the disk never waits, and no more
// lies in memory twice.
constexpr uint64_t kPrefetchBytes = uint64_t{64} << 20;

size_t VectorBytes(int64_t width) {
  return (static_cast<size_t>(width) * sizeof(float) + kAlignment - 1) /
         kAlignment * kAlignment;
}

struct Found {
  const Placement* place = nullptr;
  const TensorRecord* tensor = nullptr;
};

// The tensors that the file has, by their place in it.
absl::StatusOr<std::vector<Found>> FindAll(
    const ModelFile& file, const std::vector<Placement>& placements) {
  SPECINFER_RETURN_IF_ERROR(CheckAllPlaced(file, placements));
  std::vector<Found> found;
  for (const Placement& place : placements) {
    SPECINFER_ASSIGN_OR_RETURN(const TensorRecord* tensor,
                               FindPlaced(file, place));
    if (tensor != nullptr) found.push_back({&place, tensor});
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return a.tensor->bytes.data() < b.tensor->bytes.data();
  });
  return found;
}

WeightSource SourceOf(const Found& item) {
  return {.dtype = item.tensor->dtype,
          .outputs = item.place->outputs,
          .inputs = item.place->inputs,
          .bytes = item.tensor->bytes,
          .name = item.place->name};
}

absl::Status Cancelled(const ModelFile& file) {
  return absl::CancelledError(
      absl::StrCat("loading \"", file.path(), "\" was cancelled"));
}

absl::Status PackAll(const ModelFile& file, const Architecture& architecture,
                     const std::vector<Found>& found, Backend& backend,
                     WeightForm form,
                     const std::function<bool(float)>& progress,
                     Weights& weights) {
  uint64_t total_bytes = 0;
  for (const Found& item : found) {
    total_bytes += item.tensor->bytes.size();
    if (item.place->vector != nullptr)
      weights.vector_bytes +=
          VectorBytes(item.place->rows * item.place->inputs);
  }
  SPECINFER_ASSIGN_OR_RETURN(
      weights.vectors,
      backend.Allocate(weights.vector_bytes, "norms and biases"));
  SPECINFER_ASSIGN_OR_RETURN(const std::unique_ptr<Stream> stream,
                             backend.CreateStream({}));
  stream->Begin({}, /*resume=*/false);
  size_t offset = 0;
  uint64_t done_bytes = 0;
  uint64_t asked_bytes = 0;
  auto ahead = found.begin();
  for (const Found& item : found) {
    for (; ahead != found.end() && asked_bytes < done_bytes + kPrefetchBytes;
         ++ahead) {
      file.Prefetch(*ahead->tensor);
      asked_bytes += ahead->tensor->bytes.size();
    }
    const Placement& place = *item.place;
    if (place.weight != nullptr) {
      WeightSource source = SourceOf(item);
      source.packed_as = PackedTypeOf(file, place, *item.tensor, form);
      SPECINFER_ASSIGN_OR_RETURN(*place.weight, backend.Pack(source));
      file.Release(*item.tensor);
    } else {
      *place.vector = {weights.vectors.get(), offset, place.rows, place.inputs};
      SPECINFER_RETURN_IF_ERROR(stream->CopyIn(
          ReadVector(architecture, place, *item.tensor), *place.vector));
      offset += VectorBytes(place.rows * place.inputs);
    }
    done_bytes += item.tensor->bytes.size();
    if (progress && !progress(static_cast<float>(done_bytes) /
                              static_cast<float>(total_bytes)))
      return Cancelled(file);
  }
  return stream->Wait();
}

absl::Status CheckFamily(const ModelFile& file, const Backend& backend) {
  const PackedFamily has = file.packed_family();
  const PackedFamily wants = backend.packed_family();
  if (has.name == wants.name && has.version == wants.version)
    return absl::OkStatus();
  if (wants.name.empty()) {
    return absl::UnimplementedError(ModelMessage(
        file.path(), "is packed, and backend \"", backend.name(),
        "\" reads tensors as model files hold them; load the file it was "
        "packed from, or take another backend"));
  }
  return absl::UnimplementedError(ModelMessage(
      file.path(), "is packed as ", QuoteName(has.name), " version ",
      has.version, ", backend \"", backend.name(), "\" reads \"", wants.name,
      "\" version ", wants.version, "; pack the model again for it"));
}

// Uses a packed file's bytes where they are.
absl::Status AdoptAll(const ModelFile& file, const std::vector<Found>& found,
                      Backend& backend,
                      const std::function<bool(float)>& progress,
                      Weights& weights) {
  SPECINFER_RETURN_IF_ERROR(CheckFamily(file, backend));
  const absl::Span<const uint8_t> bytes = file.packed_bytes();
  SPECINFER_ASSIGN_OR_RETURN(weights.vectors, backend.AdoptBuffer(bytes));
  for (const Found& item : found) {
    const Placement& place = *item.place;
    if (place.weight != nullptr) {
      absl::StatusOr<std::unique_ptr<Weight>> weight =
          backend.Adopt(SourceOf(item));
      if (!weight.ok()) {
        return absl::Status(
            weight.status().code(),
            ModelMessage(file.path(), weight.status().message()));
      }
      *place.weight = *std::move(weight);
      continue;
    }
    if (item.tensor->dtype != DType::kF32) {
      return absl::InvalidArgumentError(
          ModelMessage(file.path(), "vector \"", place.name, "\" is ",
                       GetDTypeTraits(item.tensor->dtype).name,
                       ", must be F32 in a packed model"));
    }
    weights.vector_bytes += VectorBytes(place.rows * place.inputs);
    *place.vector = {
        weights.vectors.get(),
        static_cast<size_t>(item.tensor->bytes.data() - bytes.data()),
        place.rows, place.inputs};
  }
  if (progress && !progress(1.0f)) return Cancelled(file);
  return absl::OkStatus();
}

uint64_t BytesOf(const LinearWeights& linear) {
  return linear.weight == nullptr ? 0 : linear.weight->packed_bytes;
}

uint64_t BytesOf(const std::vector<LayerWeights>& layers) {
  uint64_t num_bytes = 0;
  for (const LayerWeights& layer : layers) {
    for (const LinearWeights* linear : layer.linears())
      num_bytes += BytesOf(*linear);
    num_bytes += BytesOf(layer.cross_key) + BytesOf(layer.cross_value);
  }
  return num_bytes;
}

}  // namespace

uint64_t Weights::num_bytes() const {
  return vector_bytes + BytesOf(embedding) + BytesOf(untied_head) +
         BytesOf(layers) + BytesOf(encoder.convolution1) +
         BytesOf(encoder.convolution2) + BytesOf(encoder.layers);
}

std::vector<const LinearWeights*> LayerWeights::linears() const {
  std::vector<const LinearWeights*> present;
  for (const LinearWeights* linear :
       {&query, &key, &value, &attention_output, &cross_query, &cross_output,
        &gate, &up, &down})
    if (linear->weight != nullptr) present.push_back(linear);
  return present;
}

absl::StatusOr<uint64_t> PlanWeightBytes(const ModelFile& file,
                                         const Architecture& architecture,
                                         const Backend& backend,
                                         WeightForm form) {
  Weights weights;
  uint64_t num_bytes = 0;
  for (const Placement& place : ListPlacements(architecture, &weights)) {
    SPECINFER_ASSIGN_OR_RETURN(const TensorRecord* tensor,
                               FindPlaced(file, place));
    if (tensor == nullptr) continue;
    num_bytes +=
        place.weight != nullptr
            ? backend.PackedBytes(PackedTypeOf(file, place, *tensor, form),
                                  place.outputs, place.inputs)
            : VectorBytes(place.rows * place.inputs);
  }
  return num_bytes;
}

absl::StatusOr<Weights> LoadWeights(
    const ModelFile& file, const Architecture& architecture, Backend& backend,
    WeightForm form, const std::function<bool(float)>& progress) {
  Weights weights;
  const std::vector<Placement> placements =
      ListPlacements(architecture, &weights);
  SPECINFER_ASSIGN_OR_RETURN(const std::vector<Found> found,
                             FindAll(file, placements));
  if (file.is_packed()) {
    SPECINFER_RETURN_IF_ERROR(
        AdoptAll(file, found, backend, progress, weights));
  } else {
    SPECINFER_RETURN_IF_ERROR(
        PackAll(file, architecture, found, backend, form, progress, weights));
  }
  return weights;
}

}  // namespace specinfer
