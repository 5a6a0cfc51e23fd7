// Reads what specinfer_model_load and specinfer_load_start have in common.
#ifndef SPECINFER_SRC_API_MODEL_CONFIG_H_
#define SPECINFER_SRC_API_MODEL_CONFIG_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "include/specinfer.h"
#include "src/session/model.h"

namespace specinfer {

// The host's progress function, and its other wishes.
struct ModelProgress {
  int32_t (*function)(void* user_data, float fraction) = nullptr;
  void* user_data = nullptr;
  PackedBytes packed_bytes = PackedBytes::kMapped;
  std::optional<WeightForm> weight_form;

  // Refers to this.
  LoadOptions Options() const {
    LoadOptions options;
    options.packed_bytes = packed_bytes;
    options.weight_form = weight_form;
    if (function != nullptr)
      options.progress = [this](float fraction) { return Report(fraction); };
    return options;
  }

  // False: the host wants loading to stop.
  bool Report(float fraction) const {
    return function == nullptr || function(user_data, fraction) == 0;
  }
};

// `config` may be null.
absl::StatusOr<ModelProgress> ReadModelConfig(
    const specinfer_model_config* config);

// `parameter` names it in errors.
absl::StatusOr<std::string> ReadPath(const char* path, size_t path_length,
                                     const char* parameter = "path");

}  // namespace specinfer

#endif  // SPECINFER_SRC_API_MODEL_CONFIG_H_
