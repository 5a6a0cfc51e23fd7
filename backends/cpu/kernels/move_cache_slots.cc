#include <algorithm>
#include <cstring>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/ops.h"

namespace specinfer::cpu {
namespace {

// One KV head of one layer: the key's column, then the value's row.
void MoveSlot(const uint8_t* from_head, int from_lane, uint8_t* to_head,
              int to_lane, int head_dim) {
  const auto* from_keys = reinterpret_cast<const uint16_t*>(from_head);
  auto* to_keys = reinterpret_cast<uint16_t*>(to_head);
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

}  // namespace

// A tile is one KV head of one layer: within it the slots move ascending, as a
// slot may be read after another has moved below it.
absl::Status RunMoveCacheSlots(const MoveCacheSlotsArgs& args,
                               TileRunner& tiles) {
  const size_t head_bytes = CacheBytesPerLayer(1, args.head_dim);
  const int64_t num_tiles = int64_t{args.num_layers} * args.kv_heads;
  const size_t num_slots = std::min(args.from.size(), args.to.size());
  if (num_slots == 0) return absl::OkStatus();
  return tiles.Phase(num_tiles, [&](int64_t tile, int) {
    const size_t offset = static_cast<size_t>(tile) * head_bytes;
    for (size_t i = 0; i < num_slots; ++i) {
      const int from = args.from[i];
      const int to = args.to[i];
      if (from == to) continue;
      MoveSlot(
          Bytes(args.pages[static_cast<size_t>(from / kPagePositions)]) +
              offset,
          from % kPagePositions,
          Bytes(args.pages[static_cast<size_t>(to / kPagePositions)]) + offset,
          to % kPagePositions, args.head_dim);
    }
  });
}

}  // namespace specinfer::cpu
