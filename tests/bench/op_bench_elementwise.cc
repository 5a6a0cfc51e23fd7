// Ops between the linear layers. Their operands are in the processor's caches,
// as in a pass, so nothing that is measured bounds them.
#include "tests/bench/op_bench_machine.h"

namespace specinfer::bench {
namespace {

constexpr int64_t kRowCounts[] = {1, 8, 64, 512};

// Bytes of floats that go in or out.
double FloatBytes(int64_t count) { return 4.0 * static_cast<double>(count); }

void TimeRmsNorm(benchmark::State& state, BenchMachine& machine) {
  const int64_t rows = state.range(0);
  const Tensor in = machine.MakeTensor(rows, kHidden);
  const Tensor weight = machine.MakeTensor(1, kHidden);
  const Tensor out = machine.MakeTensor(rows, kHidden);
  machine.Time(state, {.read_bytes = FloatBytes(2 * rows * kHidden)},
               [&](int64_t) {
                 return machine.stream().RmsNorm(
                     {.in = in, .weight = weight, .out = out});
               });
}

void TimeGatedActivation(benchmark::State& state, BenchMachine& machine) {
  const int64_t rows = state.range(0);
  const Tensor gate = machine.MakeTensor(rows, kFeedForward);
  const Tensor up = machine.MakeTensor(rows, kFeedForward);
  const Tensor out = machine.MakeTensor(rows, kFeedForward);
  machine.Time(state, {.read_bytes = FloatBytes(3 * rows * kFeedForward)},
               [&](int64_t) {
                 return machine.stream().GatedActivation(
                     {.gate = gate, .up = up, .out = out});
               });
}

void TimeAdd(benchmark::State& state, BenchMachine& machine) {
  const int64_t rows = state.range(0);
  const Tensor sum = machine.MakeTensor(rows, kHidden);
  const Tensor addend = machine.MakeTensor(rows, kHidden);
  machine.Time(state, {.read_bytes = FloatBytes(3 * rows * kHidden)},
               [&](int64_t) {
                 return machine.stream().Add({.sum = sum, .addend = addend});
               });
}

void TimeRope(benchmark::State& state, BenchMachine& machine) {
  const int64_t rows = state.range(0);
  RopeAndStoreArgs args;
  args.query = machine.MakeTensor(rows, kHeads * kHeadDim);
  args.key = machine.MakeTensor(rows, kKvHeads * kHeadDim);
  args.value = machine.MakeTensor(rows, kKvHeads * kHeadDim);
  // A turn of no angle keeps the values what they are, call after call.
  std::vector<float> cos_sin;
  for (int64_t i = 0; i < rows * kHeadDim / 2; ++i) {
    cos_sin.push_back(1.0f);
    cos_sin.push_back(0.0f);
  }
  const size_t page_bytes = CacheBytesPerLayer(kKvHeads, kHeadDim);
  const size_t num_pages =
      static_cast<size_t>((rows + kPagePositions - 1) / kPagePositions);
  Buffer* buffer = machine.MakeCacheBuffer(num_pages * page_bytes);
  std::vector<CachePage> pages;
  for (size_t page = 0; page < num_pages; ++page)
    pages.push_back({buffer, page * page_bytes});
  std::vector<int32_t> depths;
  for (int32_t i = 0; i < rows; ++i) depths.push_back(i);
  AttentionSequence sequence;
  sequence.pages = pages;
  sequence.num_nodes = static_cast<int32_t>(rows);
  sequence.depths = depths;
  args.cos_sin = cos_sin;
  args.rotary_dims = kHeadDim;
  args.heads = kHeads;
  args.kv_heads = kKvHeads;
  args.head_dim = kHeadDim;
  args.sequences = {&sequence, 1};
  machine.Time(
      state,
      {.read_bytes = FloatBytes(rows * (2 * kHeads + 3 * kKvHeads) * kHeadDim)},
      [&](int64_t) { return machine.stream().RopeAndStore(args); });
}

void TimeEmbed(benchmark::State& state, BenchMachine& machine) {
  const int64_t rows = state.range(0);
  const Weight& table = *machine.Weights(DType::kQ6_K, kVocabulary, kHidden)[0];
  const Tensor out = machine.MakeTensor(rows, kHidden);
  std::vector<Token> tokens(static_cast<size_t>(rows));
  machine.Time(
      state, {.read_bytes = FloatBytes(rows * kHidden)}, [&](int64_t call) {
        for (size_t i = 0; i < tokens.size(); ++i) {
          tokens[i] = static_cast<Token>(
              (static_cast<int64_t>(i) + call * rows) * 7919 % kVocabulary);
        }
        return machine.stream().Embed(
            {.table = &table, .tokens = tokens, .out = out});
      });
}

}  // namespace

void RegisterElementwise(const BenchSetting& setting) {
  const struct {
    const char* name;
    void (*time)(benchmark::State&, BenchMachine&);
  } ops[] = {{"rms_norm", TimeRmsNorm},
             {"gated_activation", TimeGatedActivation},
             {"add", TimeAdd},
             {"rope_and_store", TimeRope},
             {"embed/Q6_K", TimeEmbed}};
  for (const auto& op : ops) {
    const auto time = op.time;
    auto* registered = benchmark::RegisterBenchmark(
        (op.name + setting.Suffix()).c_str(), [=](benchmark::State& state) {
          BenchMachine& machine = GetMachine(setting);
          time(state, machine);
          machine.Clear();
        });
    registered->UseRealTime()->Unit(benchmark::kMicrosecond);
    registered->ArgName("rows");
    for (const int64_t rows : kRowCounts) registered->Arg(rows);
  }
}

}  // namespace specinfer::bench
