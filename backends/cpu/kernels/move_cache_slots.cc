#include <algorithm>
#include <cstring>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/cache_page.h"
#include "backends/cpu/kernels/ops.h"
#include "backends/cpu/kernels/q8_layout.h"

namespace specinfer::cpu {
namespace {

// The key's column, then the value's row.
void CopyF16(int head_dim, const uint8_t* from, int from_lane, uint8_t* to,
             int to_lane) {
  const auto* from_keys = reinterpret_cast<const uint16_t*>(from);
  auto* to_keys = reinterpret_cast<uint16_t*>(to);
  for (int d = 0; d < head_dim; ++d) {
    to_keys[d * kPagePositions + to_lane] =
        from_keys[d * kPagePositions + from_lane];
  }
  const uint16_t* from_values = from_keys + head_dim * kPagePositions;
  uint16_t* to_values = to_keys + head_dim * kPagePositions;
  std::memmove(to_values + to_lane * head_dim,
               from_values + from_lane * head_dim,
               static_cast<size_t>(head_dim) * sizeof(uint16_t));
}

void CopyQ8(int head_dim, const uint8_t* from, int from_lane, uint8_t* to,
            int to_lane) {
  const Q8Layout layout(head_dim);
  for (int quad = 0; quad < layout.dims / 4; ++quad) {
    std::memmove(to + layout.key_quad(quad, to_lane),
                 from + layout.key_quad(quad, from_lane), 4);
  }
  for (int d = 0; d < layout.dims; ++d)
    to[layout.value(d, to_lane)] = from[layout.value(d, from_lane)];
  for (int block = 0; block < layout.num_scales(); ++block) {
    std::memmove(to + layout.key_scale(block, to_lane),
                 from + layout.key_scale(block, from_lane), sizeof(uint16_t));
  }
  std::memmove(to + layout.value_scale(to_lane),
               from + layout.value_scale(from_lane), sizeof(uint16_t));
}

}  // namespace

void CopyCacheSlot(CacheType type, int head_dim, const uint8_t* from,
                   int from_lane, uint8_t* to, int to_lane) {
  if (type == CacheType::kQ8) {
    CopyQ8(head_dim, from, from_lane, to, to_lane);
  } else {
    CopyF16(head_dim, from, from_lane, to, to_lane);
  }
}

// A tile is one KV head of one layer: within it the slots move ascending, as a
// slot may be read after another has moved below it.
absl::Status RunMoveCacheSlots(const MoveCacheSlotsArgs& args,
                               TileRunner& tiles) {
  const size_t head_bytes =
      CacheBytesPerLayer(1, args.head_dim, args.cache_type);
  const int64_t num_tiles = int64_t{args.num_layers} * args.kv_heads;
  const size_t num_slots = std::min(args.from.size(), args.to.size());
  if (num_slots == 0) return absl::OkStatus();
  return tiles.Phase(num_tiles, [&](int64_t tile, int) {
    const size_t offset = static_cast<size_t>(tile) * head_bytes;
    for (size_t i = 0; i < num_slots; ++i) {
      const int from = args.from[i];
      const int to = args.to[i];
      if (from == to) continue;
      CopyCacheSlot(
          args.cache_type, args.head_dim,
          Bytes(args.pages[static_cast<size_t>(from / kPagePositions)]) +
              offset,
          from % kPagePositions,
          Bytes(args.pages[static_cast<size_t>(to / kPagePositions)]) + offset,
          to % kPagePositions);
    }
  });
}

}  // namespace specinfer::cpu
