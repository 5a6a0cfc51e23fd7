#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/ops.h"
#include "backends/cpu/kernels/pick_kernel.h"
#include "backends/cpu/kernels/rope_and_store_kernel.h"
#include "backends/cpu/kernels/row_blocks.h"

namespace specinfer::cpu {
namespace {

struct Kernels {
  RopeKernel* rope;
  StoreKernel* store;
};

void TurnAndStoreRow(const RopeAndStoreArgs& args, const Kernels& kernels,
                     int64_t row, const CachePage& page, int lane) {
  const int64_t head_dim = args.head_dim;
  float* query = Floats(args.query) + row * args.heads * head_dim;
  float* key = Floats(args.key) + row * args.kv_heads * head_dim;
  const float* value = Floats(args.value) + row * args.kv_heads * head_dim;
  if (args.rotary_dims > 0) {
    const float* cos_sin = args.cos_sin.data() + row * args.rotary_dims;
    const int num_pairs = args.rotary_dims / 2;
    for (int head = 0; head < args.heads; ++head)
      kernels.rope(query + head * head_dim, cos_sin, num_pairs);
    for (int head = 0; head < args.kv_heads; ++head)
      kernels.rope(key + head * head_dim, cos_sin, num_pairs);
  }
  const size_t head_bytes =
      CacheBytesPerLayer(1, args.head_dim, args.cache_type);
  uint8_t* page_head = Bytes(page) + args.layer_offset;
  for (int head = 0; head < args.kv_heads; ++head, page_head += head_bytes) {
    kernels.store(key + head * head_dim, value + head * head_dim, args.head_dim,
                  lane, page_head);
  }
}

}  // namespace

absl::Status RunRopeAndStore(const RopeAndStoreArgs& args, Isa isa,
                             TileRunner& tiles) {
  constexpr int kRowsPerTile =
      8;  // neighbours in a page, so their columns share cache lines
  const Kernels kernels = {args.pairing == RopePairing::kHalves
                               ? SPECINFER_PICK_KERNEL(isa, &RopeHalves)
                               : SPECINFER_PICK_KERNEL(isa, &RopeAdjacent),
                           args.cache_type == CacheType::kQ8
                               ? SPECINFER_PICK_KERNEL(isa, &StoreQ8)
                               : SPECINFER_PICK_KERNEL(isa, &StoreF16)};
  return tiles.Phase(
      CountRowBlocks(args.sequences, kRowsPerTile), [&](int64_t tile, int) {
        const RowBlock block = FindRowBlock(args.sequences, kRowsPerTile, tile);
        for (int node = block.first; node < block.last; ++node) {
          const int slot = block.sequence->num_committed + node;
          const CachePage& page =
              block.sequence->pages[static_cast<size_t>(slot / kPagePositions)];
          TurnAndStoreRow(args, kernels, RowOf(*block.sequence, node), page,
                          slot % kPagePositions);
        }
      });
}

}  // namespace specinfer::cpu
