#include "backends/cpu/kernels/rope_and_store_kernel.h"
#include "backends/cpu/kernels/vec16_avx512.h"
// Over the lanes above:
#include "backends/cpu/kernels/rope_and_store-inl.h"

namespace specinfer::cpu {

void RopeHalvesAvx512(float* head, const float* cos_sin, int num_pairs) {
  TurnHalves(head, cos_sin, num_pairs);
}

void RopeAdjacentAvx512(float* head, const float* cos_sin, int num_pairs) {
  TurnAdjacent(head, cos_sin, num_pairs);
}

void StoreAvx512(const float* key, const float* value, int head_dim,
                 uint16_t* key_column, uint16_t* value_row) {
  StoreKeyAndValue(key, value, head_dim, key_column, value_row);
}

}  // namespace specinfer::cpu
