// A backend with its own memory and threads, and small ways to put values in
// and take them out.
#ifndef SPECINFER_TESTS_BACKEND_MACHINE_H_
#define SPECINFER_TESTS_BACKEND_MACHINE_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "src/backend/backend.h"
#include "src/backend/registry.h"
#include "src/base/clock.h"
#include "src/base/memory.h"
#include "src/base/random.h"
#include "src/base/thread_pool.h"

namespace specinfer::testing {

// Deterministic values in (-spread, spread), with both signs and many
// magnitudes.
inline std::vector<float> RandomFloats(size_t count, uint64_t seed,
                                       float spread = 1.0f) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t bits = Philox(seed, {static_cast<uint32_t>(i), 0, 0, 0})[0];
    values[i] = (static_cast<float>(bits >> 8) * 0x1p-23f - 1.0f) * spread;
  }
  return values;
}

inline int RandomBelow(int limit, uint64_t seed, uint32_t index) {
  return static_cast<int>(Philox(seed, {index, 1, 0, 0})[0] %
                          static_cast<uint32_t>(limit));
}

inline std::vector<uint32_t> Bits(const std::vector<float>& values) {
  std::vector<uint32_t> bits(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    bits[i] = std::bit_cast<uint32_t>(values[i]);
  return bits;
}

// Every CPU backend of this architecture; a machine may lack its instructions.
inline std::vector<std::string> CpuBackends() {
#if defined(__aarch64__)
  return {"cpu-reference", "cpu-neon"};
#else
  return {"cpu-reference", "cpu-avx2", "cpu-avx512", "cpu-amx"};
#endif
}

class Machine {
 public:
  static constexpr StreamLimits kLimits = {.max_rows = 512,
                                           .max_inputs = 4096,
                                           .max_vocabulary = 4096,
                                           .max_heads = 32,
                                           .max_head_dim = 256};

  Machine(std::string_view backend_name, int num_workers)
      : memory_(0), pool_(num_workers) {
    auto backend = CreateBackend(backend_name, memory_, pool_);
    if (!backend.ok()) return;
    backend_ = std::move(backend).value();
    auto stream = backend_->CreateStream(kLimits);
    if (stream.ok()) stream_ = std::move(stream).value();
  }

  // False on a machine that lacks the backend's instructions.
  bool is_available() const { return stream_ != nullptr; }
  Backend& backend() { return *backend_; }
  Stream& stream() { return *stream_; }

  // Makes every pass stop after each tile and start again.
  void set_stops_always(bool stops_always) { stops_always_ = stops_always; }
  int num_stops() const { return num_stops_; }
  // Of every pass.
  void set_turn(Turn* turn) { turn_ = turn; }

  Tensor MakeTensor(int64_t rows, int64_t columns,
                    const std::vector<float>& values = {}) {
    Tensor tensor;
    tensor.buffer =
        MakeBuffer(static_cast<size_t>(rows * columns) * sizeof(float));
    tensor.rows = rows;
    tensor.columns = columns;
    if (!values.empty())
      std::memcpy(tensor.buffer->host(), values.data(),
                  values.size() * sizeof(float));
    return tensor;
  }

  Buffer* MakeBuffer(size_t num_bytes) {
    buffers_.push_back(
        std::move(backend_->Allocate(num_bytes, "test")).value());
    return buffers_.back().get();
  }

  static std::vector<float> Values(const Tensor& tensor) {
    std::vector<float> values(
        static_cast<size_t>(tensor.rows * tensor.columns));
    std::memcpy(values.data(), tensor.buffer->host() + tensor.offset,
                values.size() * sizeof(float));
    return values;
  }

  // One pass made of `ops`, started again until it is complete.
  absl::Status Run(const std::function<absl::Status(Stream&)>& ops) {
    bool resume = false;
    while (true) {
      PassControl control = {.turn = turn_};
      if (stops_always_) control.deadline_us = NowMicros() - 1;
      stream_->Begin(control, resume);
      absl::Status status = ops(*stream_);
      if (status.ok()) status = stream_->Wait();
      if (!absl::IsDeadlineExceeded(status)) return status;
      ++num_stops_;
      resume = true;
    }
  }

 private:
  Memory memory_;
  ThreadPool pool_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Stream> stream_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  Turn* turn_ = nullptr;
  bool stops_always_ = false;
  int num_stops_ = 0;
};

}  // namespace specinfer::testing

#endif  // SPECINFER_TESTS_BACKEND_MACHINE_H_
