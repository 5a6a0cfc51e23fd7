// Linear layers, embedding look-up and the head over packed weights.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_H_

#include <memory>

#include "absl/status/statusor.h"

#include "backends/cpu/cpu_stream.h"
#include "backends/cpu/isa.h"
#include "src/backend/backend.h"

namespace specinfer::cpu {

// As Backend::Pack, Backend::PackedBytes and Backend::Adopt.
absl::StatusOr<std::unique_ptr<Weight>> PackWeight(const WeightSource& source,
                                                   Isa isa, Memory& memory,
                                                   Executor& executor);
size_t PackedWeightBytes(DType dtype, int64_t outputs, int64_t inputs);
absl::StatusOr<std::unique_ptr<Weight>> AdoptWeight(const WeightSource& packed,
                                                    Isa isa);

// Makes the scratch that the three ops below need.
absl::Status AllocateLinearScratch(const StreamLimits& limits, int num_workers,
                                   Memory& memory, Scratch* scratch);

absl::Status RunLinear(const LinearArgs& args, Isa isa, Scratch& scratch,
                       TileRunner& tiles);
absl::Status RunEmbed(const EmbedArgs& args, Isa isa, TileRunner& tiles);
absl::Status RunHead(const HeadArgs& args, Isa isa, Scratch& scratch,
                     TileRunner& tiles);

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_H_
