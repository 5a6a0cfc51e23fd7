#include "backends/cpu/kernels/rope_and_store_kernel.h"
#include "backends/cpu/kernels/vec16_avx2.h"
// Over the lanes above:
#include "backends/cpu/kernels/quantize_head-inl.h"
#include "backends/cpu/kernels/rope_and_store-inl.h"

namespace specinfer::cpu {

void RopeHalvesAvx2(float* head, const float* cos_sin, int num_pairs) {
  TurnHalves(head, cos_sin, num_pairs);
}

void RopeAdjacentAvx2(float* head, const float* cos_sin, int num_pairs) {
  TurnAdjacent(head, cos_sin, num_pairs);
}

void StoreF16Avx2(const float* key, const float* value, int head_dim, int lane,
                  uint8_t* head) {
  StoreF16(key, value, head_dim, lane, head);
}

void StoreQ8Avx2(const float* key, const float* value, int head_dim, int lane,
                 uint8_t* head) {
  StoreQ8(key, value, head_dim, lane, head);
}

}  // namespace specinfer::cpu
