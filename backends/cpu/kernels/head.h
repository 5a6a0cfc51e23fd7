// The head's scratch.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_HEAD_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_HEAD_H_

#include <cstdint>

#include "absl/status/status.h"

#include "backends/cpu/cpu_stream.h"

namespace specinfer::cpu {

// The chunks' answers of so many queries are kept until they are joined.
inline constexpr int64_t kMaxBatchQueries = 64;

// Makes Scratch::per_worker and Scratch::head.
absl::Status AllocateHeadScratch(const StreamLimits& limits, int num_workers,
                                 Memory& memory, Scratch* scratch);

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_HEAD_H_
