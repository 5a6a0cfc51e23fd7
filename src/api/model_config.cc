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
constexpr uint32_t kFlags =
    SPECINFER_MODEL_COPY | SPECINFER_MODEL_DRAFT | SPECINFER_MODEL_FLOAT;
constexpr size_t kMaxPathBytes = 4096;

std::optional<WeightForm> FormOf(uint32_t flags) {
  if ((flags & SPECINFER_MODEL_DRAFT) != 0) return WeightForm::kForDrafting;
  if ((flags & SPECINFER_MODEL_FLOAT) != 0) return WeightForm::kAsFiled;
  return std::nullopt;
}

}  // namespace

absl::StatusOr<ModelProgress> ReadModelConfig(
    const specinfer_model_config* config) {
  specinfer_model_config known = SPECINFER_MODEL_CONFIG_INIT;
  if (config != nullptr)
    SPECINFER_RETURN_IF_ERROR(ReadSizedStruct(config, kConfig, &known));
  if (known.reserved != 0 || known.reserved2 != 0) {
    return absl::InvalidArgumentError(
        "config->reserved and config->reserved2 must be 0");
  }
  if ((known.flags & ~kFlags) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "config->flags has bits 0x", absl::Hex(known.flags & ~kFlags),
        " that are no SPECINFER_MODEL_… of this library"));
  }
  if ((known.flags & SPECINFER_MODEL_DRAFT) != 0 &&
      (known.flags & SPECINFER_MODEL_FLOAT) != 0) {
    return absl::InvalidArgumentError(
        "config->flags has SPECINFER_MODEL_DRAFT and SPECINFER_MODEL_FLOAT, "
        "which say different things of the weights");
  }
  return ModelProgress{.function = known.progress,
                       .user_data = known.progress_user_data,
                       .packed_bytes = (known.flags & SPECINFER_MODEL_COPY) != 0
                                           ? PackedBytes::kCopied
                                           : PackedBytes::kMapped,
                       .weight_form = FormOf(known.flags)};
}

absl::StatusOr<std::string> ReadPath(const char* path, size_t path_length,
                                     const char* parameter) {
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view text,
                             ReadText(path, path_length, parameter));
  if (text.empty())
    return absl::InvalidArgumentError(absl::StrCat(parameter, " is empty"));
  if (text.size() > kMaxPathBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(parameter, " has ", text.size(), " bytes, the limit is ",
                     kMaxPathBytes));
  }
  // The system would open another file: the one whose name ends there.
  if (text.find('\0') != std::string_view::npos)
    return absl::InvalidArgumentError(
        absl::StrCat(parameter, " has a zero byte inside"));
  return std::string(text);
}

}  // namespace specinfer
