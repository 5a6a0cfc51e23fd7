// Turning one head and storing one key and value, for each instruction set.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_ROPE_AND_STORE_KERNEL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_ROPE_AND_STORE_KERNEL_H_

#include <cstdint>

namespace specinfer::cpu {

// Turns the first 2 · num_pairs values of `head` in place; `cos_sin` has
// (cosine, sine) for each pair.
using RopeKernel = void(float* head, const float* cos_sin, int num_pairs);

RopeKernel RopeHalvesReference, RopeHalvesAvx2, RopeHalvesAvx512;
RopeKernel RopeAdjacentReference, RopeAdjacentAvx2, RopeAdjacentAvx512;

// Rounds a key into the column `key_column` (one value every 64) and a value
// into `value_row`.
using StoreKernel = void(const float* key, const float* value, int head_dim,
                         uint16_t* key_column, uint16_t* value_row);

StoreKernel StoreReference, StoreAvx2, StoreAvx512;

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_ROPE_AND_STORE_KERNEL_H_
