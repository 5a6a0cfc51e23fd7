// Attention of a chain over a long context, its keys and values streamed from
// memory as in a pass of many layers.
#include <algorithm>
#include <cmath>

#include "tests/bench/op_bench_machine.h"

namespace specinfer::bench {
namespace {

constexpr int64_t kContexts[] = {256, 4096, 16384, 32768};
constexpr int64_t kRowCounts[] = {1, 8};

struct Type {
  const char* name;
  CacheType type;
};
constexpr Type kTypes[] = {{"f16", CacheType::kF16}, {"q8", CacheType::kQ8}};

// The pages of one layer.
std::vector<CachePage> MakePages(BenchMachine& machine, int64_t num_slots,
                                 CacheType type) {
  const size_t page_bytes = CacheBytesPerLayer(kKvHeads, kHeadDim, type);
  const size_t num_pages =
      static_cast<size_t>((num_slots + kPagePositions - 1) / kPagePositions);
  Buffer* buffer = machine.MakeCacheBuffer(num_pages * page_bytes);
  std::vector<CachePage> pages;
  for (size_t page = 0; page < num_pages; ++page)
    pages.push_back({buffer, page * page_bytes});
  return pages;
}

void TimeAttention(benchmark::State& state, const BenchSetting& setting,
                   CacheType type) {
  const int64_t context = state.range(0), rows = state.range(1);
  BenchMachine& machine = GetMachine(setting);
  const double layer_bytes =
      static_cast<double>(CacheBytesPerLayer(kKvHeads, kHeadDim, type)) *
      static_cast<double>(context + rows) / kPagePositions;
  const size_t num_layers = std::clamp<size_t>(
      static_cast<size_t>(static_cast<double>(setting.stream_bytes) /
                          layer_bytes),
      2, 256);
  std::vector<std::vector<CachePage>> layers;
  for (size_t i = 0; i < num_layers; ++i)
    layers.push_back(MakePages(machine, context + rows, type));
  std::vector<int32_t> depths(static_cast<size_t>(rows));
  for (size_t i = 0; i < depths.size(); ++i)
    depths[i] = static_cast<int32_t>(i);
  AttentionSequence sequence;
  sequence.num_committed = static_cast<int32_t>(context);
  sequence.num_nodes = static_cast<int32_t>(rows);
  sequence.depths = depths;
  TreeAttentionArgs args;
  args.query = machine.MakeTensor(rows, kHeads * kHeadDim);
  args.out = machine.MakeTensor(rows, kHeads * kHeadDim);
  args.sequences = {&sequence, 1};
  args.heads = kHeads;
  args.kv_heads = kKvHeads;
  args.head_dim = kHeadDim;
  args.cache_type = type;
  args.scale = 1.0f / std::sqrt(static_cast<float>(kHeadDim));
  OpCost cost;
  cost.read_bytes = layer_bytes;
  // Scores and sums of values; with bytes in the cache these are products of
  // bytes.
  (type == CacheType::kQ8 ? cost.int8_products : cost.float_products) =
      2.0 * kHeads * kHeadDim * static_cast<double>(rows) *
      (static_cast<double>(context) + static_cast<double>(rows + 1) / 2);
  machine.Time(state, cost, [&](int64_t call) {
    sequence.pages = layers[static_cast<size_t>(call) % layers.size()];
    return machine.stream().TreeAttention(args);
  });
  machine.Clear();
}

}  // namespace

void RegisterAttention(const BenchSetting& setting) {
  for (const Type& type : kTypes) {
    const std::string name =
        std::string("attention/") + type.name + setting.Suffix();
    auto* registered = benchmark::RegisterBenchmark(
        name.c_str(), [=](benchmark::State& state) {
          TimeAttention(state, setting, type.type);
        });
    registered->UseRealTime()->Unit(benchmark::kMicrosecond);
    registered->ArgNames({"context", "rows"});
    for (const int64_t context : kContexts) {
      for (const int64_t rows : kRowCounts) registered->Args({context, rows});
    }
  }
}

}  // namespace specinfer::bench
