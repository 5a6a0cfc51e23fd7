// Linear layers of every quantised type, their weights streamed from memory,
// and those of a speech encoder, whose rows are many.
#include "src/backend/tensor.h"
#include "tests/bench/op_bench_machine.h"

namespace specinfer::bench {
namespace {

constexpr DType kTypes[] = {
    DType::kQ4_0, DType::kQ4_1,   DType::kQ5_0,   DType::kQ5_1, DType::kQ8_0,
    DType::kQ2_K, DType::kQ3_K,   DType::kQ4_K,   DType::kQ5_K, DType::kQ6_K,
    DType::kQ8_K, DType::kIQ4_NL, DType::kIQ4_XS, DType::kF16};
constexpr int64_t kRowCounts[] = {1, 2, 4, 8, 16, 32, 64, 512};

struct Shape {
  int64_t outputs, inputs;
};
constexpr Shape kShapes[] = {{kHidden, kHidden},
                             {kFeedForward, kHidden},
                             {kHidden, kFeedForward},
                             {kVocabulary, kHidden}};

// Of Whisper base: queries, keys and values; feed-forward; the convolutions.
constexpr Shape kEncoderShapes[] = {{512, 512},  {1536, 512}, {2048, 512},
                                    {512, 2048}, {512, 240},  {512, 1536}};
constexpr int64_t kEncoderRowCounts[] = {128, 500, 1500};

void TimeLinear(benchmark::State& state, const BenchSetting& setting,
                DType dtype, Shape shape) {
  const int64_t rows = state.range(0);
  BenchMachine& machine = GetMachine(setting);
  const auto& weights = machine.Weights(dtype, shape.outputs, shape.inputs);
  const Tensor in = machine.MakeTensor(rows, shape.inputs);
  const Tensor out = machine.MakeTensor(rows, shape.outputs);
  const double num_products = static_cast<double>(rows) *
                              static_cast<double>(shape.outputs) *
                              static_cast<double>(shape.inputs);
  OpCost cost;
  cost.read_bytes = static_cast<double>(weights[0]->packed_bytes);
  (dtype == DType::kF16 ? cost.float_products : cost.int8_products) =
      num_products;
  machine.Time(state, cost, [&](int64_t call) {
    const size_t index = static_cast<size_t>(call) % weights.size();
    const LinearOutput output = {weights[index].get(), {}, out};
    return machine.stream().Linear({.in = in, .outputs = {&output, 1}});
  });
  machine.Clear();
}

void Register(const BenchSetting& setting, DType dtype, Shape shape,
              absl::Span<const int64_t> row_counts) {
  const std::string name = "linear/" + std::string(GetDTypeTraits(dtype).name) +
                           "/" + std::to_string(shape.outputs) + "x" +
                           std::to_string(shape.inputs) + setting.Suffix();
  auto* registered =
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        TimeLinear(state, setting, dtype, shape);
      });
  registered->UseRealTime()->Unit(benchmark::kMicrosecond);
  registered->ArgName("rows");
  for (const int64_t rows : row_counts) {
    // Logits of 512 rows are 311 MB that no pass ever writes.
    if (shape.outputs == kVocabulary && rows > 64) continue;
    registered->Arg(rows);
  }
}

}  // namespace

void RegisterLinear(const BenchSetting& setting) {
  for (const DType dtype : kTypes) {
    for (const Shape shape : kShapes)
      Register(setting, dtype, shape, kRowCounts);
  }
  for (const Shape shape : kEncoderShapes)
    Register(setting, DType::kQ8_K, shape, kEncoderRowCounts);
}

}  // namespace specinfer::bench
