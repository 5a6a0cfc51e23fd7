// The backends of this build: the one place that knows them by name.
#ifndef SPECINFER_SRC_BACKEND_REGISTRY_H_
#define SPECINFER_SRC_BACKEND_REGISTRY_H_

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"

#include "src/backend/backend.h"
#include "src/base/executor.h"
#include "src/base/memory.h"

namespace specinfer {

// Makes the backend `name` ("cpu", "cpu-avx2", …). `memory` and `executor` must
// outlive it.
// Errors: NOT_FOUND (no such backend, or this machine lacks its instructions),
// saying which there are.
absl::StatusOr<std::unique_ptr<Backend>> CreateBackend(std::string_view name,
                                                       Memory& memory,
                                                       Executor& executor);

// Implemented by backends/cpu. `variant`: "" (the best of this machine),
// "reference", "avx2", "avx512", "amx", "neon".
absl::StatusOr<std::unique_ptr<Backend>> CreateCpuBackend(
    std::string_view variant, Memory& memory, Executor& executor);

}  // namespace specinfer

#endif  // SPECINFER_SRC_BACKEND_REGISTRY_H_
