#include "backends/cpu/kernels/tree_attention_amx-inl.h"
#include "tests/backend/attention_emulated.h"
#include "tests/backend/emulated_tiles.h"

namespace specinfer::cpu {

void BeginAttentionTileEmulated() {
  EmulatedTiles::Configure(AttentionShapes());
}

void AttendQ8Emulated(const AttentionBlock& block) {
  AttendQ8InTiles<EmulatedTiles>(block);
}

void QuantizeQueryEmulated(const float* query, int head_dim, int8_t* codes,
                           float* scales, int32_t* sums) {
  QuantizeQueryForTiles(query, head_dim, codes, scales, sums);
}

}  // namespace specinfer::cpu
