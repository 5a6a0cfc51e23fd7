// Reads a caller's specinfer_generation_config.
#ifndef SPECINFER_SRC_API_GENERATION_CONFIG_H_
#define SPECINFER_SRC_API_GENERATION_CONFIG_H_

#include "absl/status/statusor.h"

#include "include/specinfer.h"
#include "src/session/generation.h"

namespace specinfer {

// Errors: INVALID_ARGUMENT.
absl::StatusOr<Strategy> ReadStrategy(int32_t strategy);

// Resolves defaults, checks every field and copies every array. `config` may be
// null.
// Errors: INVALID_ARGUMENT naming the field.
absl::StatusOr<GenerationOptions> ReadGenerationConfig(
    const specinfer_generation_config* config, int32_t vocabulary_size);

}  // namespace specinfer

#endif  // SPECINFER_SRC_API_GENERATION_CONFIG_H_
