// Turning one head and storing one key and value, for each instruction set.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_ROPE_AND_STORE_KERNEL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_ROPE_AND_STORE_KERNEL_H_

#include <cstdint>

namespace specinfer::cpu {

// Turns the first 2 · num_pairs values of `head` in place; `cos_sin` has
// (cosine, sine) for each pair.
using RopeKernel = void(float* head, const float* cos_sin, int num_pairs);

RopeKernel RopeHalvesReference, RopeHalvesAvx2, RopeHalvesAvx512,
    RopeHalvesNeon;
RopeKernel RopeAdjacentReference, RopeAdjacentAvx2, RopeAdjacentAvx512,
    RopeAdjacentNeon;

// Rounds a key and a value into a lane of a page; `head` is where their KV head
// begins.
using StoreKernel = void(const float* key, const float* value, int head_dim,
                         int lane, uint8_t* head);

StoreKernel StoreF16Reference, StoreF16Avx2, StoreF16Avx512, StoreF16Neon;
StoreKernel StoreQ8Reference, StoreQ8Avx2, StoreQ8Avx512, StoreQ8Neon;

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_ROPE_AND_STORE_KERNEL_H_
