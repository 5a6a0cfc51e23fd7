#include "backends/cpu/reference/tree_attention.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/ops.h"
#include "backends/cpu/kernels/row_blocks.h"
#include "backends/cpu/kernels/tree_attention_kernel.h"
#include "src/base/status_macros.h"

namespace specinfer::cpu {
namespace {

constexpr int kMaxRowsPerTile = 8;
constexpr int kTileQueries = 16;
constexpr size_t kAlignment = 64;

size_t AlignUp(size_t num_bytes) {
  return (num_bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// One worker's scratch.
struct TileScratch {
  AttentionQuery* queries = nullptr;  // [max_queries]
  float* weights = nullptr;           // [max_queries, 64]
  uint16_t* keys = nullptr;           // [head_dim, 64], of a gathered block
  uint16_t* values = nullptr;         // [64, head_dim]
};

// What a tile computes: nodes [block.first, block.last) with the query heads of
// one KV head.
struct Tile {
  const TreeAttentionArgs* args = nullptr;
  AttentionKernel* kernel = nullptr;
  RowBlock block;
  int kv_head = 0;
  int group = 0;
  TileScratch scratch;
};

int Position(const AttentionSequence& sequence, int node) {
  return sequence.num_committed +
         (sequence.depths.empty() ? node
                                  : sequence.depths[static_cast<size_t>(node)]);
}

int FirstVisible(const Tile& tile, int position) {
  return tile.args->window > 0 ? std::max(0, position + 1 - tile.args->window)
                               : 0;
}

// True if the tokens before `node` on its path do not lie at slot = position.
bool IsScattered(const AttentionSequence& sequence, int node) {
  return !sequence.path_bits.empty() &&
         sequence.depths[static_cast<size_t>(node)] != node;
}

const uint16_t* PageKeys(const Tile& tile, int slot) {
  const CachePage& page =
      tile.block.sequence->pages[static_cast<size_t>(slot / kPagePositions)];
  return reinterpret_cast<const uint16_t*>(
      Bytes(page) + tile.args->layer_offset +
      CacheBytesPerLayer(tile.kv_head, tile.args->head_dim));
}

// Sets the lanes that `node` sees in the block of positions from `start` on.
// False if it sees none.
bool SetLanes(const Tile& tile, int node, int start, AttentionQuery* queries) {
  const int position = Position(*tile.block.sequence, node);
  const int first = std::max(FirstVisible(tile, position) - start, 0);
  const int last = std::min(position + 1 - start, kPagePositions);
  if (first >= last) return false;
  for (int i = 0; i < tile.group; ++i) {
    queries[i].first_lane = first;
    queries[i].last_lane = last;
  }
  return true;
}

void Attend(const Tile& tile, const uint16_t* keys, const uint16_t* values,
            AttentionQuery* queries, int num_queries) {
  tile.kernel({keys, values, tile.args->head_dim, tile.args->scale,
               tile.args->soft_cap, queries, num_queries,
               tile.scratch.weights});
}

// A block that holds nodes of a branching tree, in position order as each row
// sees it.
class GatheredBlock {
 public:
  GatheredBlock(const Tile& tile, int start) : tile_(tile), start_(start) {
    std::fill_n(nodes_, kPagePositions, -1);
    const int committed_lanes = tile.block.sequence->num_committed - start;
    if (committed_lanes <= 0) return;
    // The lanes of nodes are copied too, and overwritten before they are seen.
    const size_t dims = static_cast<size_t>(tile.args->head_dim);
    const uint16_t* keys = PageKeys(tile, start);
    std::memcpy(tile.scratch.keys, keys,
                dims * kPagePositions * sizeof(uint16_t));
    std::memcpy(
        tile.scratch.values, keys + dims * kPagePositions,
        dims * static_cast<size_t>(std::min(committed_lanes, kPagePositions)) *
            sizeof(uint16_t));
  }

  // Puts the path of `node` in its lanes.
  void Gather(int node) {
    const AttentionSequence& sequence = *tile_.block.sequence;
    const size_t num_words =
        static_cast<size_t>((sequence.num_nodes + 63) / 64);
    const uint64_t* path =
        sequence.path_bits.data() + static_cast<size_t>(node) * num_words;
    for (size_t word = 0; word < num_words; ++word) {
      for (uint64_t bits = path[word]; bits != 0; bits &= bits - 1) {
        const int ancestor =
            static_cast<int>(word) * 64 + __builtin_ctzll(bits);
        const int lane = Position(sequence, ancestor) - start_;
        if (lane < 0 || lane >= kPagePositions || nodes_[lane] == ancestor)
          continue;
        nodes_[lane] = ancestor;
        CopySlot(sequence.num_committed + ancestor, lane);
      }
    }
  }

 private:
  void CopySlot(int slot, int lane) {
    const int head_dim = tile_.args->head_dim;
    const uint16_t* keys = PageKeys(tile_, slot);
    const int from_lane = slot % kPagePositions;
    for (int d = 0; d < head_dim; ++d) {
      tile_.scratch.keys[d * kPagePositions + lane] =
          keys[d * kPagePositions + from_lane];
    }
    std::memcpy(tile_.scratch.values + lane * head_dim,
                keys + (kPagePositions + from_lane) * head_dim,
                static_cast<size_t>(head_dim) * sizeof(uint16_t));
  }

  const Tile& tile_;
  const int start_;
  int nodes_[kPagePositions] = {};  // the node in each lane; -1: none
};

// The rows of the tile over the block of positions from `start` on.
void AttendPositions(const Tile& tile, int start) {
  const AttentionSequence& sequence = *tile.block.sequence;
  const bool holds_nodes = start + kPagePositions > sequence.num_committed;
  const auto attend_in_place = [&](AttentionQuery* queries, int num_queries) {
    if (num_queries == 0) return;
    const uint16_t* keys = PageKeys(tile, start);
    Attend(tile, keys, keys + tile.args->head_dim * kPagePositions, queries,
           num_queries);
  };
  // Runs of neighbouring rows that read the page itself are computed as one.
  AttentionQuery* run = tile.scratch.queries;
  int run_queries = 0;
  bool has_scattered = false;
  for (int node = tile.block.first; node < tile.block.last; ++node) {
    AttentionQuery* queries =
        tile.scratch.queries + (node - tile.block.first) * tile.group;
    const bool is_scattered = holds_nodes && IsScattered(sequence, node);
    has_scattered |= is_scattered;
    if (!is_scattered && SetLanes(tile, node, start, queries)) {
      if (run_queries == 0) run = queries;
      run_queries += tile.group;
    } else {
      attend_in_place(run, run_queries);
      run_queries = 0;
    }
  }
  attend_in_place(run, run_queries);
  if (!has_scattered) return;
  GatheredBlock gathered(tile, start);
  for (int node = tile.block.first; node < tile.block.last; ++node) {
    AttentionQuery* queries =
        tile.scratch.queries + (node - tile.block.first) * tile.group;
    if (!IsScattered(sequence, node) || !SetLanes(tile, node, start, queries))
      continue;
    gathered.Gather(node);
    Attend(tile, tile.scratch.keys, tile.scratch.values, queries, tile.group);
  }
}

void AttendTile(const Tile& tile) {
  const TreeAttentionArgs& args = *tile.args;
  const AttentionSequence& sequence = *tile.block.sequence;
  int begin = std::numeric_limits<int>::max();
  int end = 0;
  AttentionQuery* query = tile.scratch.queries;
  for (int node = tile.block.first; node < tile.block.last; ++node) {
    const int position = Position(sequence, node);
    begin = std::min(begin, FirstVisible(tile, position));
    end = std::max(end, position + 1);
    const int64_t first_head = int64_t{sequence.first_row + node} * args.heads +
                               tile.kv_head * tile.group;
    for (int i = 0; i < tile.group; ++i, ++query) {
      const int64_t offset = (first_head + i) * args.head_dim;
      *query = {Floats(args.query) + offset,
                Floats(args.out) + offset,
                -std::numeric_limits<float>::infinity(),
                0.0f,
                0.0f,
                0,
                0};
      std::fill_n(query->out, args.head_dim, 0.0f);
    }
  }
  for (int start = begin / kPagePositions * kPagePositions; start < end;
       start += kPagePositions) {
    AttendPositions(tile, start);
  }
  for (AttentionQuery* each = tile.scratch.queries; each != query; ++each) {
    for (int d = 0; d < args.head_dim; ++d)
      each->out[d] = each->out[d] / each->sum;
  }
}

// Fewer rows where the context is long, so that a tile stays short.
int RowsPerAttentionTile(const TreeAttentionArgs& args, int group) {
  constexpr int kShortContext = 4096;
  int rows = std::clamp(kTileQueries / group, 1, kMaxRowsPerTile);
  int num_keys = 0;
  for (const AttentionSequence& sequence : args.sequences)
    num_keys = std::max(num_keys, sequence.num_committed);
  if (args.window > 0) num_keys = std::min(num_keys, args.window);
  for (; num_keys > kShortContext && rows > 1; num_keys /= 2) rows /= 2;
  return rows;
}

TileScratch SplitScratch(uint8_t* bytes, int64_t max_queries,
                         int64_t head_dim) {
  TileScratch scratch;
  const size_t num_queries = static_cast<size_t>(max_queries);
  scratch.queries = reinterpret_cast<AttentionQuery*>(bytes);
  bytes += AlignUp(num_queries * sizeof(AttentionQuery));
  scratch.weights = reinterpret_cast<float*>(bytes);
  bytes += num_queries * kPagePositions * sizeof(float);
  scratch.keys = reinterpret_cast<uint16_t*>(bytes);
  scratch.values = scratch.keys + head_dim * kPagePositions;
  return scratch;
}

}  // namespace

absl::Status AllocateAttentionScratch(const StreamLimits& limits,
                                      int num_workers, Memory& memory,
                                      Scratch* scratch) {
  const size_t max_queries =
      static_cast<size_t>(std::max<int64_t>(kTileQueries, limits.max_heads));
  scratch->attention_bytes_per_worker =
      AlignUp(max_queries * sizeof(AttentionQuery)) +
      max_queries * kPagePositions * sizeof(float) +
      CacheBytesPerLayer(1, limits.max_head_dim);
  SPECINFER_ASSIGN_OR_RETURN(
      scratch->attention, memory.Allocate(scratch->attention_bytes_per_worker *
                                              static_cast<size_t>(num_workers),
                                          "attention scratch"));
  return absl::OkStatus();
}

absl::Status RunTreeAttention(const TreeAttentionArgs& args, Isa isa,
                              Scratch& scratch, TileRunner& tiles) {
  const int group = args.heads / args.kv_heads;
  const int rows_per_tile = RowsPerAttentionTile(args, group);
  const int64_t num_tiles =
      CountRowBlocks(args.sequences, rows_per_tile) * args.kv_heads;
  AttentionKernel* kernel =
      isa == Isa::kAvx512 ? &AttendBlockAvx512 : &AttendBlockAvx2;
  const int64_t max_queries = std::max(kTileQueries, group);
  return tiles.Phase(num_tiles, [&](int64_t index, int worker) {
    const RowBlock block =
        FindRowBlock(args.sequences, rows_per_tile, index / args.kv_heads);
    const int kv_head = static_cast<int>(index % args.kv_heads);
    if (isa == Isa::kReference) {
      for (int node = block.first; node < block.last; ++node) {
        TreeAttentionReference(args, *block.sequence, node, kv_head);
      }
      return;
    }
    AttendTile({&args, kernel, block, kv_head, group,
                SplitScratch(scratch.attention_worker(worker), max_queries,
                             args.head_dim)});
  });
}

}  // namespace specinfer::cpu
