// The ops that read no weight matrix, as tiles (linear.h has the others).
// Arguments as in src/backend/stream.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_OPS_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_OPS_H_

#include "absl/status/status.h"

#include "backends/cpu/cpu_stream.h"
#include "backends/cpu/isa.h"
#include "src/backend/stream.h"

namespace specinfer::cpu {

absl::Status RunRmsNorm(const RmsNormArgs& args, Isa isa, TileRunner& tiles);
absl::Status RunLayerNorm(const LayerNormArgs& args, Isa isa,
                          TileRunner& tiles);
absl::Status RunUnfold(const UnfoldArgs& args, TileRunner& tiles);
absl::Status RunGatedActivation(const GatedActivationArgs& args, Isa isa,
                                TileRunner& tiles);
absl::Status RunAdd(const AddArgs& args, Isa isa, TileRunner& tiles);
absl::Status RunGatherRows(const GatherRowsArgs& args, TileRunner& tiles);
absl::Status RunMoveCacheSlots(const MoveCacheSlotsArgs& args,
                               TileRunner& tiles);
absl::Status RunRopeAndStore(const RopeAndStoreArgs& args, Isa isa,
                             TileRunner& tiles);
absl::Status RunTreeAttention(const TreeAttentionArgs& args, Isa isa,
                              Scratch& scratch, TileRunner& tiles);
absl::Status RunAttentionWeights(const AttentionWeightsArgs& args,
                                 TileRunner& tiles);

// Makes the scratch that RunTreeAttention needs.
absl::Status AllocateAttentionScratch(const StreamLimits& limits,
                                      int num_workers, Memory& memory,
                                      Scratch* scratch);

// How many rows of `width` floats make a tile of some ten microseconds.
inline int64_t RowsPerTile(int64_t width) {
  constexpr int64_t kTileFloats = 16384;
  return width >= kTileFloats ? 1 : kTileFloats / (width > 0 ? width : 1);
}

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_OPS_H_
