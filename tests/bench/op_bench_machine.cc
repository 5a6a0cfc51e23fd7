#include "tests/bench/op_bench_machine.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "src/backend/registry.h"
#include "src/base/random.h"
#include "tests/backend/weight_cases.h"

namespace specinfer::bench {
namespace {

constexpr StreamLimits kLimits = {.max_rows = 1500,
                                  .max_inputs = kFeedForward,
                                  .max_vocabulary = kVocabulary,
                                  .max_heads = kHeads,
                                  .max_head_dim = kHeadDim};

[[noreturn]] void Fail(const absl::Status& status) {
  std::fprintf(stderr, "op_bench: %s\n", status.ToString().c_str());
  std::exit(1);
}

template <typename T>
T ValueOrFail(absl::StatusOr<T> value) {
  if (!value.ok()) Fail(value.status());
  return *std::move(value);
}

// Sixteen random rows, again and again: no kernel's time depends on values.
std::vector<uint8_t> WeightBytes(DType dtype, int64_t outputs, int64_t inputs) {
  constexpr int64_t kRandomRows = 16;
  const std::vector<uint8_t> some = cpu::RandomWeightBytes(
      dtype, kRandomRows, inputs, cpu::WeightKind::kSane, /*seed=*/1);
  const size_t row_bytes = some.size() / kRandomRows;
  std::vector<uint8_t> bytes(row_bytes * static_cast<size_t>(outputs));
  for (size_t i = 0; i < bytes.size(); i += some.size())
    std::copy_n(some.data(), std::min(some.size(), bytes.size() - i),
                bytes.data() + i);
  return bytes;
}

}  // namespace

BenchMachine::BenchMachine(const BenchSetting& setting)
    : setting_(setting), pool_(setting.num_threads) {
  backend_ = ValueOrFail(CreateBackend(setting.backend, memory_, pool_));
  stream_ = ValueOrFail(backend_->CreateStream(kLimits));
}

Tensor BenchMachine::MakeTensor(int64_t rows, int64_t columns) {
  const size_t count = static_cast<size_t>(rows * columns);
  Buffer* buffer = MakeCacheBuffer(count * sizeof(float));
  float* values = reinterpret_cast<float*>(buffer->host());
  cpu::Random random(/*seed=*/count);
  for (size_t i = 0; i < count; ++i) values[i] = random.Uniform();
  return {buffer, 0, rows, columns};
}

Buffer* BenchMachine::MakeCacheBuffer(size_t num_bytes) {
  buffers_.push_back(ValueOrFail(backend_->Allocate(num_bytes, "op_bench")));
  uint8_t* bytes = buffers_.back()->host();
  uint32_t state = 1;
  for (size_t i = 0; i < num_bytes; ++i) {
    state = state * 1664525u + 1013904223u;
    bytes[i] = static_cast<uint8_t>(0x28 + (state >> 29));
  }
  return buffers_.back().get();
}

const std::vector<std::unique_ptr<Weight>>& BenchMachine::Weights(
    DType dtype, int64_t outputs, int64_t inputs) {
  const std::string key = std::to_string(static_cast<int>(dtype)) + " " +
                          std::to_string(outputs) + " " +
                          std::to_string(inputs);
  if (key == weights_key_) return weights_;
  weights_key_ = key;
  weights_.clear();
  const std::vector<uint8_t> bytes = WeightBytes(dtype, outputs, inputs);
  size_t num_bytes = 0;
  while (weights_.empty() || num_bytes < setting_.stream_bytes) {
    weights_.push_back(ValueOrFail(
        backend_->Pack({dtype, outputs, inputs, bytes, "op_bench.weight"})));
    num_bytes += weights_.back()->packed_bytes;
  }
  return weights_;
}

MachineRates BenchMachine::Measure() {
  if (weights_.empty()) Weights(DType::kQ8_0, kFeedForward, kHidden);
  std::vector<const Weight*> weights;
  for (const auto& weight : weights_) weights.push_back(weight.get());
  return ValueOrFail(backend_->Measure(weights));
}

void BenchMachine::Time(benchmark::State& state, const OpCost& cost,
                        const std::function<absl::Status(int64_t call)>& op) {
  using Clock = std::chrono::steady_clock;
  const MachineRates before = Measure();
  int64_t call = 0;
  double seconds = 0;
  for (auto unused : state) {
    const Clock::time_point begin = Clock::now();
    stream_->Begin({}, /*resume=*/false);
    absl::Status status = op(call++);
    if (status.ok()) status = stream_->Wait();
    seconds += std::chrono::duration<double>(Clock::now() - begin).count();
    if (!status.ok()) Fail(status);
  }
  const MachineRates after = Measure();
  const double per_call = seconds / static_cast<double>(call);
  const double num_products = cost.int8_products + cost.float_products;
  if (cost.read_bytes > 0)
    state.counters["GB/s"] = 1e-9 * cost.read_bytes / per_call;
  if (num_products == 0) return;
  state.counters["GMAC/s"] = 1e-9 * num_products / per_call;
  // The mean of before and after: the machine's other load wanders.
  const auto mean = [&](double MachineRates::*rate) {
    return (before.*rate + after.*rate) / 2;
  };
  const double reading =
      cost.read_bytes / mean(&MachineRates::read_bytes_per_second);
  const double multiplying =
      cost.int8_products / mean(&MachineRates::int8_products_per_second) +
      cost.float_products / mean(&MachineRates::float_products_per_second);
  state.counters["reached_%"] = 100 * std::max(reading, multiplying) / per_call;
}

}  // namespace specinfer::bench
