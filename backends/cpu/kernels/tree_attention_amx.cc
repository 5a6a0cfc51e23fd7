#include "backends/cpu/kernels/tree_attention_amx-inl.h"

namespace specinfer::cpu {

void BeginAttentionTileAmx() {
  static constexpr TileShapes kShapes = AttentionShapes();
  HardwareTiles::Configure(kShapes);
}

void EndAttentionTileAmx() { HardwareTiles::Release(); }

void QuantizeQueryAmx(const float* query, int head_dim, int8_t* codes,
                      float* scales, int32_t* sums) {
  QuantizeQueryForTiles(query, head_dim, codes, scales, sums);
}

void AttendQ8Amx(const AttentionBlock& block) {
  AttendQ8InTiles<HardwareTiles>(block);
}

}  // namespace specinfer::cpu
