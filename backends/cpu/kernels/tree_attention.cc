#include "backends/cpu/reference/tree_attention.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/gathered_block.h"
#include "backends/cpu/kernels/ops.h"
#include "backends/cpu/kernels/row_blocks.h"
#include "backends/cpu/kernels/tree_attention_kernel.h"
#include "src/base/status_macros.h"

namespace specinfer::cpu {
namespace {

constexpr int kTileQueries = 48;
constexpr size_t kAlignment = 64;
// Multiply-adds of keys in a tile, at most: a few hundred microseconds with
// those of the values.
constexpr int64_t kTileProducts = int64_t{24} * 2048 * 128;

template <typename T>
T* Take(uint8_t** bytes, int64_t count) {
  T* taken = reinterpret_cast<T*>(*bytes);
  const size_t num_bytes = static_cast<size_t>(count) * sizeof(T);
  *bytes += (num_bytes + kAlignment - 1) / kAlignment * kAlignment;
  return taken;
}

// One worker's scratch, for tiles of up to `max_queries`.
struct TileScratch {
  TileScratch(uint8_t* bytes, int64_t max_queries, int64_t head_dim) {
    out = Take<float*>(&bytes, max_queries);
    values = Take<float>(&bytes, max_queries * head_dim);
    first_lane = Take<int>(&bytes, max_queries);
    last_lane = Take<int>(&bytes, max_queries);
    maximum = Take<float>(&bytes, max_queries);
    sum = Take<float>(&bytes, max_queries);
    correction = Take<float>(&bytes, max_queries);
    columns = Take<float>(&bytes, max_queries * head_dim);
    // Of a q8 cache, for whole tiles of AMX from any query on.
    const int64_t tile_queries = max_queries + 16;
    const int64_t num_scales = (head_dim + 31) / 32;
    codes = Take<int8_t>(&bytes, tile_queries * num_scales * 64);
    scales = Take<float>(&bytes, tile_queries * num_scales);
    sums = Take<int32_t>(&bytes, tile_queries * num_scales);
    weight_codes = Take<uint8_t>(&bytes, tile_queries * 2 * kPagePositions);
    steps = Take<float>(&bytes, max_queries);
    weights = Take<float>(&bytes, max_queries * kPagePositions);
    floats = Take<float>(&bytes, AttentionScratchFloats(head_dim));
    page = Take<uint8_t>(
        &bytes, static_cast<int64_t>(
                    std::max(CacheBytesPerLayer(1, head_dim, CacheType::kF16),
                             CacheBytesPerLayer(1, head_dim, CacheType::kQ8))));
    end = bytes;
  }

  // A query's sums in `values`, where they are together: rows of the result may
  // share few lines of a cache.
  float** out;
  float* values;
  int* first_lane;
  int* last_lane;
  float* maximum;
  float* sum;
  float* correction;
  float* columns;
  int8_t* codes;
  float* scales;
  int32_t* sums;
  uint8_t* weight_codes;
  float* steps;
  float* weights;
  float* floats;
  uint8_t* page;  // of a gathered block
  uint8_t* end;
};

struct Kernels {
  AttentionKernel* attend = nullptr;
  QuantizeQueryKernel* quantize = nullptr;
  int code_stride = 32;                  // bytes of a query for each scale
  AttentionTileKernel* begin = nullptr;  // may be null, as `end`
  AttentionTileKernel* end = nullptr;
};

// The softmax of each row and head so far, between phases.
struct SavedState {
  float maximum;
  float sum;
};

// Positions [begin, end) of a phase.
struct PhaseRange {
  int begin = 0;
  int end = 0;
  bool is_first = false;
  bool is_last = false;
};

// What a tile computes: nodes [rows.first, rows.last) with the query heads of
// one KV head, over the positions of a phase.
struct Tile {
  const TreeAttentionArgs* args = nullptr;
  Kernels kernels;
  RowBlock rows;
  CacheHead head;
  int kv_head = 0;
  int group = 0;
  PhaseRange range;
  SavedState* states = nullptr;
  const TileScratch* scratch = nullptr;

  int num_queries() const { return (rows.last - rows.first) * group; }
};

// The positions that a node sees: [first, second).
std::pair<int, int> VisibleTo(const TreeAttentionArgs& args,
                              const AttentionSequence& sequence, int node) {
  if (args.sees_committed) return {0, sequence.num_committed};
  const int end = NodePosition(sequence, node) + 1;
  return {args.window > 0 ? std::max(0, end - args.window) : 0, end};
}

// True if the tokens before `node` on its path do not lie at slot = position.
bool IsScattered(const AttentionSequence& sequence, int node) {
  return !sequence.path_bits.empty() &&
         sequence.depths[static_cast<size_t>(node)] != node;
}

// Sets the lanes that `node` sees in the block of positions from `start` on.
// False if it sees none.
bool SetLanes(const Tile& tile, int node, int start, int first_query) {
  const auto [begin, end] = VisibleTo(*tile.args, *tile.rows.sequence, node);
  const int first = std::max(begin - start, 0);
  const int last = std::min(end - start, kPagePositions);
  if (first >= last) return false;
  std::fill_n(tile.scratch->first_lane + first_query, tile.group, first);
  std::fill_n(tile.scratch->last_lane + first_query, tile.group, last);
  return true;
}

void Attend(const Tile& tile, const uint8_t* page, const uint8_t* next,
            int first_query, int num_queries) {
  const TileScratch& s = *tile.scratch;
  const int num_scales = (tile.args->head_dim + 31) / 32;
  const AttentionQueries queries = {
      .out = s.out + first_query,
      .maximum = s.maximum + first_query,
      .sum = s.sum + first_query,
      .correction = s.correction + first_query,
      .first_lane = s.first_lane + first_query,
      .last_lane = s.last_lane + first_query,
      .weights = s.weights + first_query * kPagePositions,
      .columns = s.columns + first_query,
      .stride = tile.num_queries(),
      .codes = s.codes + first_query * num_scales * tile.kernels.code_stride,
      .scales = s.scales + first_query * num_scales,
      .sums = s.sums + first_query * num_scales,
      .weight_codes = s.weight_codes + first_query * 2 * kPagePositions,
      .steps = s.steps + first_query};
  tile.kernels.attend({page, next, tile.args->head_dim, tile.args->scale,
                       tile.args->soft_cap, num_queries, queries, s.floats});
}

void AttendScattered(const Tile& tile, int start) {
  GatheredBlock gathered(tile.head, start, tile.scratch->page);
  for (int node = tile.rows.first; node < tile.rows.last; ++node) {
    const int query = (node - tile.rows.first) * tile.group;
    if (!IsScattered(*tile.rows.sequence, node) ||
        !SetLanes(tile, node, start, query))
      continue;
    gathered.Gather(node);
    Attend(tile, tile.scratch->page, nullptr, query, tile.group);
  }
}

// The rows of the tile over the block of positions from `start` on; `next` is
// the page after it.
void AttendPositions(const Tile& tile, int start, const uint8_t* next) {
  const AttentionSequence& sequence = *tile.rows.sequence;
  const bool holds_nodes = !tile.args->sees_committed &&
                           start + kPagePositions > sequence.num_committed;
  // Runs of neighbouring rows that read the page itself are computed as one.
  int run = 0;
  int run_queries = 0;
  bool has_scattered = false;
  for (int node = tile.rows.first; node < tile.rows.last; ++node) {
    const int query = (node - tile.rows.first) * tile.group;
    const bool is_scattered = holds_nodes && IsScattered(sequence, node);
    has_scattered |= is_scattered;
    if (!is_scattered && SetLanes(tile, node, start, query)) {
      if (run_queries == 0) run = query;
      run_queries += tile.group;
    } else if (run_queries > 0) {
      Attend(tile, tile.head.page(start), next, run, run_queries);
      run_queries = 0;
    }
  }
  if (run_queries > 0)
    Attend(tile, tile.head.page(start), next, run, run_queries);
  if (has_scattered) AttendScattered(tile, start);
}

// Calls `visit` with each query of the tile, its row and its head.
template <typename Visit>
void ForEachQuery(const Tile& tile, const Visit& visit) {
  int query = 0;
  for (int node = tile.rows.first; node < tile.rows.last; ++node) {
    for (int i = 0; i < tile.group; ++i, ++query) {
      visit(query, RowOf(*tile.rows.sequence, node) * tile.args->heads +
                       tile.kv_head * tile.group + i);
    }
  }
}

void BeginTile(const Tile& tile) {
  const TileScratch& s = *tile.scratch;
  const int head_dim = tile.args->head_dim;
  const int num_queries = tile.num_queries();
  const int num_scales = (head_dim + 31) / 32;
  ForEachQuery(tile, [&](int query, int64_t row_head) {
    const float* values = Floats(tile.args->query) + row_head * head_dim;
    if (tile.args->cache_type == CacheType::kQ8) {
      tile.kernels.quantize(
          values, head_dim,
          s.codes + query * num_scales * tile.kernels.code_stride,
          s.scales + query * num_scales, s.sums + query * num_scales);
    } else {
      for (int d = 0; d < head_dim; ++d)
        s.columns[d * num_queries + query] = values[d];
    }
    s.out[query] = s.values + int64_t{query} * head_dim;
    if (tile.range.is_first) {
      s.maximum[query] = -std::numeric_limits<float>::infinity();
      s.sum[query] = 0.0f;
      std::fill_n(s.out[query], head_dim, 0.0f);
    } else {
      s.maximum[query] = tile.states[row_head].maximum;
      s.sum[query] = tile.states[row_head].sum;
      std::copy_n(Floats(tile.args->out) + row_head * head_dim, head_dim,
                  s.out[query]);
    }
  });
}

void EndTile(const Tile& tile) {
  const TileScratch& s = *tile.scratch;
  const int head_dim = tile.args->head_dim;
  ForEachQuery(tile, [&](int query, int64_t row_head) {
    tile.states[row_head] = {s.maximum[query], s.sum[query]};
    float* const out = Floats(tile.args->out) + row_head * head_dim;
    if (!tile.range.is_last) {
      std::copy_n(s.out[query], head_dim, out);
      return;
    }
    for (int d = 0; d < head_dim; ++d) out[d] = s.out[query][d] / s.sum[query];
  });
}

// The positions that some row of a block sees.
std::pair<int, int> VisiblePositions(const TreeAttentionArgs& args,
                                     const RowBlock& rows) {
  int begin = std::numeric_limits<int>::max();
  int end = 0;
  for (int node = rows.first; node < rows.last; ++node) {
    const auto [first, last] = VisibleTo(args, *rows.sequence, node);
    begin = std::min(begin, first);
    end = std::max(end, last);
  }
  return {begin / kPagePositions * kPagePositions, end};
}

void AttendTile(const Tile& tile) {
  auto [begin, end] = VisiblePositions(*tile.args, tile.rows);
  begin = std::max(begin, tile.range.begin);
  end = std::min(end, tile.range.end);
  if (begin >= end && !tile.range.is_first && !tile.range.is_last) return;
  BeginTile(tile);
  if (tile.kernels.begin != nullptr) tile.kernels.begin();
  for (int start = begin; start < end; start += kPagePositions) {
    const int next = start + kPagePositions;
    AttendPositions(tile, start, next < end ? tile.head.page(next) : nullptr);
  }
  if (tile.kernels.end != nullptr) tile.kernels.end();
  EndTile(tile);
}

// REQUIRES: isa is not kReference.
Kernels PickKernels(Isa isa, CacheType type) {
#if defined(__x86_64__)
  const bool is_q8 = type == CacheType::kQ8;
  if (isa == Isa::kAvx2)
    return {is_q8 ? &AttendQ8Avx2 : &AttendF16Avx2, &QuantizeQueryAvx2};
  if (isa == Isa::kAmx && is_q8) {
    return {&AttendQ8Amx, &QuantizeQueryAmx, 64, &BeginAttentionTileAmx,
            &EndAttentionTileAmx};
  }
  return {is_q8 ? &AttendQ8Avx512 : &AttendF16Avx512, &QuantizeQueryAvx512};
#elif defined(__aarch64__)
  if (isa == Isa::kNeon)
    return {type == CacheType::kQ8 ? &AttendQ8Neon : &AttendF16Neon,
            &QuantizeQueryNeon};
#endif
  return {};
}

// Positions of a phase, so that a tile stays short.
int PositionsPerPhase(int64_t tile_queries, int head_dim) {
  constexpr int64_t kLongest = 1 << 20;
  const int64_t positions = kTileProducts / (tile_queries * head_dim);
  return static_cast<int>(
      std::clamp<int64_t>(positions / kPagePositions * kPagePositions,
                          4 * kPagePositions, kLongest));
}

}  // namespace

absl::Status AllocateAttentionScratch(const StreamLimits& limits,
                                      int num_workers, Memory& memory,
                                      Scratch* scratch) {
  // Laid out from an address that nobody reads, to count.
  auto* nowhere = reinterpret_cast<uint8_t*>(kAlignment);
  const TileScratch counted(nowhere,
                            std::max<int64_t>(kTileQueries, limits.max_heads),
                            limits.max_head_dim);
  scratch->attention_bytes_per_worker =
      static_cast<size_t>(counted.end - nowhere);
  SPECINFER_ASSIGN_OR_RETURN(
      scratch->attention, memory.Allocate(scratch->attention_bytes_per_worker *
                                              static_cast<size_t>(num_workers),
                                          "attention scratch"));
  SPECINFER_ASSIGN_OR_RETURN(
      scratch->attention_states,
      memory.Allocate(static_cast<size_t>(limits.max_rows * limits.max_heads) *
                          sizeof(SavedState),
                      "attention scratch"));
  return absl::OkStatus();
}

// A phase is a range of positions, so that its keys stay in a core's cache for
// all rows, and a tile is over soon.
absl::Status RunTreeAttention(const TreeAttentionArgs& args, Isa isa,
                              Scratch& scratch, TileRunner& tiles) {
  const int group = args.heads / args.kv_heads;
  const int rows_per_tile = std::max(1, kTileQueries / group);
  const int64_t num_blocks = CountRowBlocks(args.sequences, rows_per_tile);
  if (isa == Isa::kReference) {
    return tiles.Phase(num_blocks * args.kv_heads, [&](int64_t index, int) {
      const RowBlock rows =
          FindRowBlock(args.sequences, rows_per_tile, index / args.kv_heads);
      for (int node = rows.first; node < rows.last; ++node) {
        TreeAttentionReference(args, *rows.sequence, node,
                               static_cast<int>(index % args.kv_heads));
      }
    });
  }
  int begin = std::numeric_limits<int>::max();
  int end = 0;
  int max_rows = 0;
  for (const AttentionSequence& sequence : args.sequences) {
    const auto [first, last] = VisiblePositions(
        args, {&sequence, sequence.first_node, sequence.num_nodes});
    begin = std::min(begin, first);
    end = std::max(end, last);
    max_rows = std::max(max_rows, sequence.num_nodes - sequence.first_node);
  }
  const Kernels kernels = PickKernels(isa, args.cache_type);
  const int64_t max_queries = std::max(kTileQueries, group);
  const int step = PositionsPerPhase(
      int64_t{std::min(max_rows, rows_per_tile)} * group, args.head_dim);
  auto* states = reinterpret_cast<SavedState*>(scratch.attention_states.data());
  for (int start = begin; start < end; start += step) {
    const PhaseRange range = {start, std::min(start + step, end),
                              start == begin, start + step >= end};
    SPECINFER_RETURN_IF_ERROR(
        tiles.Phase(num_blocks * args.kv_heads, [&](int64_t index, int worker) {
          const RowBlock rows = FindRowBlock(args.sequences, rows_per_tile,
                                             index / args.kv_heads);
          const int kv_head = static_cast<int>(index % args.kv_heads);
          const TileScratch tile_scratch(scratch.attention_worker(worker),
                                         max_queries, args.head_dim);
          AttendTile(
              {&args,
               kernels,
               rows,
               {rows.sequence, args.cache_type, args.head_dim,
                args.layer_offset + CacheBytesPerLayer(kv_head, args.head_dim,
                                                       args.cache_type)},
               kv_head,
               group,
               range,
               states,
               &tile_scratch});
        }));
  }
  return absl::OkStatus();
}

}  // namespace specinfer::cpu
