// A backend with its threads for op_bench, the weights and caches that ops
// stream from memory, and the report of one benchmark beside its bound.
#ifndef SPECINFER_TESTS_BENCH_OP_BENCH_MACHINE_H_
#define SPECINFER_TESTS_BENCH_OP_BENCH_MACHINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/backend/backend.h"
#include "src/base/memory.h"
#include "src/base/thread_pool.h"
#include <benchmark/benchmark.h>

namespace specinfer::bench {

// A place where ops run, and how much they read before they read the same
// again: more than the processor's caches keep.
struct BenchSetting {
  std::string backend;
  int num_threads = 1;
  size_t stream_bytes = 0;
  std::string Suffix() const {
    return "/" + backend + "/threads:" + std::to_string(num_threads);
  }
};

// What one call of an op must do at the least.
struct OpCost {
  double read_bytes = 0;
  double int8_products = 0;
  double float_products = 0;
};

class BenchMachine {
 public:
  // Ends the program with a message where the backend cannot be made.
  explicit BenchMachine(const BenchSetting& setting);

  Backend& backend() { return *backend_; }
  Stream& stream() { return *stream_; }

  // Values in (-1, 1).
  Tensor MakeTensor(int64_t rows, int64_t columns);
  // Bytes that are small halves and small codes alike.
  Buffer* MakeCacheBuffer(size_t num_bytes);

  // Weights of one type and shape, as often as fills the setting's
  // stream_bytes. Kept until others are asked for.
  const std::vector<std::unique_ptr<Weight>>& Weights(DType dtype,
                                                      int64_t outputs,
                                                      int64_t inputs);

  // Times `op(call)`, one op per call, and reports time, GB/s, GMAC/s and, if
  // the op is bound by anything that is measured, the fraction of the bound.
  void Time(benchmark::State& state, const OpCost& cost,
            const std::function<absl::Status(int64_t call)>& op);

  // Lets go of tensors and caches.
  void Clear() { buffers_.clear(); }

 private:
  MachineRates Measure();

  const BenchSetting setting_;
  Memory memory_{0};
  ThreadPool pool_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Stream> stream_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::string weights_key_;
  std::vector<std::unique_ptr<Weight>> weights_;
};

// The machine of a setting; the one of the last call is kept.
BenchMachine& GetMachine(const BenchSetting& setting);

// Each registers the benchmarks of its ops.
void RegisterLinear(const BenchSetting& setting);
void RegisterAttention(const BenchSetting& setting);
void RegisterElementwise(const BenchSetting& setting);
void RegisterHead(const BenchSetting& setting);

// The 1.5B model that figures are quoted for.
inline constexpr int64_t kHidden = 1536;
inline constexpr int64_t kFeedForward = 8960;
inline constexpr int64_t kVocabulary = 151936;
inline constexpr int32_t kHeads = 12;
inline constexpr int32_t kKvHeads = 2;
inline constexpr int32_t kHeadDim = 128;

}  // namespace specinfer::bench

#endif  // SPECINFER_TESTS_BENCH_OP_BENCH_MACHINE_H_
