// Model files: packing, verifying, and what tensors one has.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "src/api/arguments.h"
#include "src/api/edge.h"
#include "src/api/handles.h"
#include "src/api/model_config.h"
#include "src/api/sized_struct.h"
#include "src/session/model_pack.h"

namespace specinfer {
namespace {

constexpr SizedStruct kTensor = {
    "specinfer_model_tensor", "out_tensor", "SPECINFER_MODEL_TENSOR_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_model_tensor, type)};

specinfer_model_tensor ToC(const TensorRecord& from) {
  specinfer_model_tensor to = SPECINFER_MODEL_TENSOR_INIT;
  to.num_dimensions = static_cast<uint32_t>(from.rank);
  std::copy(from.dims.begin(), from.dims.end(), to.dimensions);
  to.num_bytes = from.bytes.size();
  to.name = from.name.data();
  to.name_length = from.name.size();
  const std::string_view type = GetDTypeTraits(from.dtype).name;
  std::memcpy(to.type, type.data(), std::min(type.size(), sizeof(to.type) - 1));
  return to;
}

}  // namespace
}  // namespace specinfer

using specinfer::CheckPointer;
using specinfer::Edge;

extern "C" {

specinfer_status specinfer_model_pack(const specinfer_engine* engine,
                                      const char* path, size_t path_length,
                                      const char* packed_path,
                                      size_t packed_path_length,
                                      const specinfer_model_config* config) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(engine, "engine"));
    SPECINFER_ASSIGN_OR_RETURN(const std::string source,
                               specinfer::ReadPath(path, path_length));
    SPECINFER_ASSIGN_OR_RETURN(
        const std::string target,
        specinfer::ReadPath(packed_path, packed_path_length, "packed_path"));
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::ModelProgress progress,
                               specinfer::ReadModelConfig(config));
    return specinfer::PackModel(*engine->engine, source, target,
                                progress.Options());
  });
}

specinfer_status specinfer_model_verify(const specinfer_engine* engine,
                                        const char* path, size_t path_length,
                                        const specinfer_model_config* config,
                                        uint64_t* out_num_hashes) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(engine, "engine"));
    SPECINFER_ASSIGN_OR_RETURN(const std::string file,
                               specinfer::ReadPath(path, path_length));
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::ModelProgress progress,
                               specinfer::ReadModelConfig(config));
    SPECINFER_ASSIGN_OR_RETURN(
        const uint64_t num_hashes,
        specinfer::VerifyModel(*engine->engine, file, progress.Options()));
    if (out_num_hashes != nullptr) *out_num_hashes = num_hashes;
    return absl::OkStatus();
  });
}

specinfer_status specinfer_model_get_tensor(
    const specinfer_model* model, uint32_t index,
    specinfer_model_tensor* out_tensor) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(model, "model"));
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckSizedOutput(out_tensor, specinfer::kTensor));
    const auto tensors = model->model->file().tensors();
    if (index >= tensors.size()) {
      return absl::OutOfRangeError(absl::StrCat("index is ", index,
                                                ", the model's file has ",
                                                tensors.size(), " tensors"));
    }
    specinfer::WriteSizedStruct(specinfer::ToC(tensors[index]), out_tensor);
    return absl::OkStatus();
  });
}

}  // extern "C"
