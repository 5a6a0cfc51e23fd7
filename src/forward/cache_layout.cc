#include "src/forward/cache_layout.h"

namespace specinfer {

size_t CacheLayout::bytes_per_token() const {
  size_t num_bytes = 0;
  for (const CacheGroup& group : groups)
    num_bytes += group.page_bytes / kPagePositions;
  return num_bytes;
}

CacheLayout MakeCacheLayout(const Architecture& architecture,
                            CacheType cache_type) {
  CacheLayout layout;
  layout.cache_type = cache_type;
  layout.kv_heads = architecture.kv_heads;
  layout.head_dim = architecture.head_dim;
  const size_t layer_bytes = CacheBytesPerLayer(
      architecture.kv_heads, architecture.head_dim, cache_type);
  for (const Layer& layer : architecture.layers) {
    size_t g = 0;
    while (g < layout.groups.size() && layout.groups[g].window != layer.window)
      ++g;
    if (g == layout.groups.size())
      layout.groups.push_back({.window = layer.window});
    CacheGroup& group = layout.groups[g];
    layout.group_of_layer.push_back(static_cast<int32_t>(g));
    layout.layer_offset.push_back(group.page_bytes);
    group.page_bytes += layer_bytes;
    ++group.num_layers;
  }
  return layout;
}

}  // namespace specinfer
