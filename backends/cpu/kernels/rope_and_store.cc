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

void TurnRow(const RopeAndStoreArgs& args, const Kernels& kernels,
             int64_t row) {
  const int64_t head_dim = args.head_dim;
  float* query = Floats(args.query) + row * args.heads * head_dim;
  float* key = Floats(args.key) + row * args.kv_heads * head_dim;
  const float* cos_sin = args.cos_sin.data() + row * args.rotary_dims;
  const int num_pairs = args.rotary_dims / 2;
  for (int head = 0; head < args.heads; ++head)
    kernels.rope(query + head * head_dim, cos_sin, num_pairs);
  for (int head = 0; head < args.kv_heads; ++head)
    kernels.rope(key + head * head_dim, cos_sin, num_pairs);
}

// One head of all rows, then the next: neighbours in a page share cache lines,
// and all heads of a page are more than the first cache holds.
void StoreBlock(const RopeAndStoreArgs& args, const Kernels& kernels,
                const RowBlock& block) {
  const size_t head_bytes =
      CacheBytesPerLayer(1, args.head_dim, args.cache_type);
  for (int head = 0; head < args.kv_heads; ++head) {
    for (int node = block.first; node < block.last; ++node) {
      const int slot = block.sequence->num_committed + node;
      const CachePage& page =
          block.sequence->pages[static_cast<size_t>(slot / kPagePositions)];
      const int64_t first =
          (RowOf(*block.sequence, node) * args.kv_heads + head) * args.head_dim;
      kernels.store(Floats(args.key) + first, Floats(args.value) + first,
                    args.head_dim, slot % kPagePositions,
                    Bytes(page) + args.layer_offset +
                        static_cast<size_t>(head) * head_bytes);
    }
  }
}

}  // namespace

absl::Status RunRopeAndStore(const RopeAndStoreArgs& args, Isa isa,
                             TileRunner& tiles) {
  constexpr int kRowsPerTile = 16;
  const Kernels kernels = {args.pairing == RopePairing::kHalves
                               ? SPECINFER_PICK_KERNEL(isa, &RopeHalves)
                               : SPECINFER_PICK_KERNEL(isa, &RopeAdjacent),
                           args.cache_type == CacheType::kQ8
                               ? SPECINFER_PICK_KERNEL(isa, &StoreQ8)
                               : SPECINFER_PICK_KERNEL(isa, &StoreF16)};
  return tiles.Phase(
      CountRowBlocks(args.sequences, kRowsPerTile), [&](int64_t tile, int) {
        const RowBlock block = FindRowBlock(args.sequences, kRowsPerTile, tile);
        if (args.rotary_dims > 0) {
          for (int node = block.first; node < block.last; ++node)
            TurnRow(args, kernels, RowOf(*block.sequence, node));
        }
        StoreBlock(args, kernels, block);
      });
}

}  // namespace specinfer::cpu
