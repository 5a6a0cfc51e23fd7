// CpuBackend::Measure: what this machine could do at best, now.
#include <algorithm>
#include <atomic>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/kernels/pack.h"
#include "backends/cpu/kernels/peak_kernel.h"
#include "src/base/clock.h"
#include "src/base/float_control.h"

namespace specinfer::cpu {
namespace {

// A part of a weight that one worker reads at a time.
struct ReadTile {
  const uint8_t* bytes = nullptr;
  size_t num_bytes = 0;
};

constexpr size_t kReadTileBytes = size_t{1} << 20;
// Small weights are read again and again up to this, so that waking the workers
// costs nothing beside the reading; of large ones no more than the other.
constexpr size_t kMinReadBytes = size_t{256} << 20;
constexpr size_t kMaxReadBytes = size_t{2} << 30;

constexpr int64_t kPeakRunMicros = 1000;
constexpr int kNumPeakRuns = 3;
constexpr int64_t kMaxPeakRounds = int64_t{1} << 32;

constexpr double kMicrosPerSecond = 1e6;

struct PeakKernels {
  PeakKernel* int8_products;
  PeakKernel* float_products;
  ReadKernel* read;
};

PeakKernels PickPeakKernels(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAmx:
      return {&Int8PeakAmx, &FloatPeakAvx512, &ReadAvx512};
    case Isa::kAvx512:
      return {&Int8PeakAvx512, &FloatPeakAvx512, &ReadAvx512};
    case Isa::kAvx2:
      return {&Int8PeakAvx2, &FloatPeakAvx2, &ReadAvx2};
#elif defined(__aarch64__)
    case Isa::kNeon:
      return {&Int8PeakNeon, &FloatPeakNeon, &ReadNeon};
#endif
    default:
      return {&Int8PeakReference, &FloatPeakReference, &ReadReference};
  }
}

// From when the first task began until the last one ended: that workers take
// time to wake is no limit of the machine.
class TaskSpan {
 public:
  void Begin() { Lower(begin_us_, NowMicros()); }
  void End() { Raise(end_us_, NowMicros()); }
  int64_t micros() const {
    return std::max<int64_t>(end_us_.load() - begin_us_.load(), 1);
  }

 private:
  static void Lower(std::atomic<int64_t>& least, int64_t value) {
    int64_t known = least.load();
    while (value < known && !least.compare_exchange_weak(known, value)) {
    }
  }
  static void Raise(std::atomic<int64_t>& most, int64_t value) {
    int64_t known = most.load();
    while (value > known && !most.compare_exchange_weak(known, value)) {
    }
  }

  std::atomic<int64_t> begin_us_{INT64_MAX};
  std::atomic<int64_t> end_us_{INT64_MIN};
};

// Products per second of all workers together: the best of some short runs.
double MeasurePeak(PeakKernel* kernel, Executor& executor) {
  int64_t num_rounds = 256;
  double best = 0.0;
  for (int num_runs = 0; num_runs < kNumPeakRuns;) {
    TaskSpan span;
    std::atomic<int64_t> num_products{0};
    executor.Run(executor.num_threads(), [&](int) {
      const ScopedFloatControl float_control;
      uint8_t operands[kPeakOperandBytes] = {};
      span.Begin();
      num_products.fetch_add(kernel(num_rounds, operands),
                             std::memory_order_relaxed);
      span.End();
    });
    if (span.micros() < kPeakRunMicros / 2 && num_rounds < kMaxPeakRounds) {
      num_rounds *= 2;
      continue;
    }
    ++num_runs;
    best = std::max(best, static_cast<double>(num_products.load()) /
                              static_cast<double>(span.micros()));
  }
  return best * kMicrosPerSecond;
}

std::vector<ReadTile> CutIntoTiles(absl::Span<const Weight* const> weights) {
  std::vector<ReadTile> tiles;
  size_t num_bytes = 0;
  for (const Weight* weight : weights) {
    const PackedWeight& packed = AsPacked(*weight);
    const uint8_t* bytes = packed.is_raw ? packed.row(0) : packed.group(0);
    const size_t end = packed.packed_bytes / kReadStepBytes * kReadStepBytes;
    for (size_t first = 0; first < end && num_bytes < kMaxReadBytes;
         first += kReadTileBytes) {
      tiles.push_back({bytes + first, std::min(kReadTileBytes, end - first)});
      num_bytes += tiles.back().num_bytes;
    }
  }
  return tiles;
}

// Bytes per second; 0 where there is nothing to read.
double MeasureReading(ReadKernel* kernel,
                      absl::Span<const Weight* const> weights,
                      Executor& executor) {
  const std::vector<ReadTile> tiles = CutIntoTiles(weights);
  size_t num_bytes = 0;
  for (const ReadTile& tile : tiles) num_bytes += tile.num_bytes;
  if (num_bytes == 0) return 0.0;
  const size_t num_passes =
      std::max<size_t>(1, (kMinReadBytes + num_bytes - 1) / num_bytes);
  TaskSpan span;
  std::atomic<size_t> next_tile{0};
  std::atomic<uint64_t> seen{0};  // keeps the reading from being left out
  executor.Run(executor.num_threads(), [&](int) {
    uint64_t mine = 0;
    span.Begin();
    while (true) {
      const size_t tile = next_tile.fetch_add(1, std::memory_order_relaxed);
      if (tile >= tiles.size() * num_passes) break;
      const ReadTile& part = tiles[tile % tiles.size()];
      mine |= kernel(part.bytes, part.num_bytes);
    }
    span.End();
    seen.fetch_or(mine, std::memory_order_relaxed);
  });
  return static_cast<double>(num_bytes * num_passes) * kMicrosPerSecond /
         static_cast<double>(span.micros());
}

}  // namespace

absl::StatusOr<MachineRates> CpuBackend::Measure(
    absl::Span<const Weight* const> weights) {
  const PeakKernels kernels = PickPeakKernels(isa_);
  MachineRates rates;
  rates.read_bytes_per_second =
      MeasureReading(kernels.read, weights, executor_);
  rates.int8_products_per_second =
      MeasurePeak(kernels.int8_products, executor_);
  rates.float_products_per_second =
      MeasurePeak(kernels.float_products, executor_);
  return rates;
}

}  // namespace specinfer::cpu
