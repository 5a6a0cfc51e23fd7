// How a model's key-value cache is cut into groups of layers and pages of
// positions.
#ifndef SPECINFER_SRC_FORWARD_CACHE_LAYOUT_H_
#define SPECINFER_SRC_FORWARD_CACHE_LAYOUT_H_

#include <cstdint>
#include <vector>

#include "src/backend/stream.h"
#include "src/model/architecture.h"

namespace specinfer {

// Layers that see equally far back share pages, and let them go together.
struct CacheGroup {
  int32_t window = 0;  // 0: everything
  int32_t num_layers = 0;
  size_t page_bytes = 0;
};

struct CacheLayout {
  CacheType cache_type = CacheType::kF16;
  int32_t kv_heads = 0;
  int32_t head_dim = 0;
  std::vector<CacheGroup> groups;
  std::vector<int32_t> group_of_layer;
  std::vector<size_t> layer_offset;  // of each layer in its group's pages

  size_t bytes_per_token() const;
};

CacheLayout MakeCacheLayout(const Architecture& architecture,
                            CacheType cache_type = CacheType::kF16);

}  // namespace specinfer

#endif  // SPECINFER_SRC_FORWARD_CACHE_LAYOUT_H_
