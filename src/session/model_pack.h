// What is done with model files besides loading them: packing and verifying.
#ifndef SPECINFER_SRC_SESSION_MODEL_PACK_H_
#define SPECINFER_SRC_SESSION_MODEL_PACK_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/backend/engine.h"
#include "src/session/model.h"

namespace specinfer {

// Writes the model `source` in the engine's own layout to the file `target`,
// which appears whole or not at all.
// Errors: as Model::Load and FileWriter; INVALID_ARGUMENT (the target is the
// source); FAILED_PRECONDITION (packed already).
absl::Status PackModel(const Engine& engine, const std::string& source,
                       const std::string& target, const LoadOptions& options);

// Checks the structure of a model file, and the hashes of a packed one. Returns
// how many hashes it has.
// Errors: as Model::Load; DATA_LOSS, naming the first tensor that is damaged.
absl::StatusOr<uint64_t> VerifyModel(const Engine& engine,
                                     const std::string& path,
                                     const LoadOptions& options);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SESSION_MODEL_PACK_H_
