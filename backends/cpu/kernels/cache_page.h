// One slot of one KV head of one layer in a cache page; src/backend/stream.h
// has the layouts.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_CACHE_PAGE_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_CACHE_PAGE_H_

#include <cstdint>

#include "src/backend/stream.h"

namespace specinfer::cpu {

// Copies one slot of one head, which starts at `from` and `to`.
void CopyCacheSlot(CacheType type, int head_dim, const uint8_t* from,
                   int from_lane, uint8_t* to, int to_lane);

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_CACHE_PAGE_H_
