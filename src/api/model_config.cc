#include "src/api/model_config.h"

#include <string_view>

#include "absl/status/status.h"

#include "src/api/arguments.h"
#include "src/api/sized_struct.h"

namespace specinfer {
namespace {

constexpr SizedStruct kConfig = {
    "specinfer_model_config", "config", "SPECINFER_MODEL_CONFIG_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_model_config, progress_user_data)};
constexpr size_t kMaxPathBytes = 4096;

}  // namespace

absl::StatusOr<ModelProgress> ReadModelConfig(
    const specinfer_model_config* config) {
  specinfer_model_config known = SPECINFER_MODEL_CONFIG_INIT;
  if (config != nullptr)
    SPECINFER_RETURN_IF_ERROR(ReadSizedStruct(config, kConfig, &known));
  if (known.reserved != 0)
    return absl::InvalidArgumentError("config->reserved must be 0");
  return ModelProgress{.function = known.progress,
                       .user_data = known.progress_user_data};
}

absl::StatusOr<std::string> ReadPath(const char* path, size_t path_length) {
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view text,
                             ReadText(path, path_length, "path"));
  if (text.empty()) return absl::InvalidArgumentError("path is empty");
  if (text.size() > kMaxPathBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "path has ", text.size(), " bytes, the limit is ", kMaxPathBytes));
  }
  // The system would open another file: the one whose name ends there.
  if (text.find('\0') != std::string_view::npos)
    return absl::InvalidArgumentError("path has a zero byte inside");
  return std::string(text);
}

}  // namespace specinfer
