// Random weights of every type, and the least that is needed to run a linear op
// on them.
#ifndef SPECINFER_TESTS_BACKEND_WEIGHT_CASES_H_
#define SPECINFER_TESTS_BACKEND_WEIGHT_CASES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backends/cpu/cpu_stream.h"
#include "backends/cpu/kernels/linear.h"
#include "src/backend/backend.h"
#include "src/base/memory.h"
#include "src/base/thread_pool.h"

namespace specinfer::cpu {

// Those of files.
inline constexpr DType kWeightTypes[] = {
    DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ4_0,   DType::kQ4_1,
    DType::kQ5_0, DType::kQ5_1, DType::kQ8_0, DType::kQ2_K,   DType::kQ3_K,
    DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS};
// What matrices are packed as, beside these.
inline constexpr DType kPackedWeightTypes[] = {DType::kQ8_K};

// Every instruction set of this machine, reference first.
std::vector<Isa> MachineIsas();
std::string_view IsaName(Isa isa);

// Numbers that are the same on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : seed_(seed) {}
  uint32_t Bits();
  float Uniform();  // in [-1, 1)
 private:
  uint64_t seed_;
  uint32_t counter_ = 0;
};

// Any bytes at all, or bytes whose scales are small halves so that the values
// are of order 1.
enum class WeightKind { kSane, kHostile };
std::vector<uint8_t> RandomWeightBytes(DType dtype, int64_t outputs,
                                       int64_t inputs, WeightKind kind,
                                       uint64_t seed);

// Of files and of our own.
std::vector<DType> AllWeightTypes();

// How many inputs a row of `dtype` may have: multiples of this. Rows of our own
// types may have any number.
int64_t InputUnit(DType dtype);

std::vector<float> RandomFloats(int64_t count, uint64_t seed);

// A CPU backend's parts, without the backend.
class Workbench {
 public:
  Workbench(Isa isa, int num_threads, StreamLimits limits);

  std::unique_ptr<Weight> Pack(DType dtype, int64_t outputs, int64_t inputs,
                               const std::vector<uint8_t>& bytes);
  Tensor MakeTensor(int64_t rows, int64_t columns,
                    const std::vector<float>& values = {});
  std::vector<float> Linear(
      const LinearArgs& args);  // the first output's values
  std::vector<float> Linear(const Weight& weight, int64_t rows,
                            const std::vector<float>& in,
                            const std::vector<float>& bias = {});
  std::vector<float> Embed(const Weight& table,
                           const std::vector<Token>& tokens, float multiplier);
  absl::Status Head(const HeadArgs& args);

  Memory& memory() { return memory_; }
  Executor& executor() { return pool_; }
  Isa isa() const { return isa_; }

 private:
  const Isa isa_;
  Memory memory_{0};
  ThreadPool pool_;
  Scratch scratch_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
};

// Equal bit for bit, where any NaN equals any NaN. Says where they first
// differ.
std::string FirstDifference(const std::vector<float>& a,
                            const std::vector<float>& b);

}  // namespace specinfer::cpu

#endif  // SPECINFER_TESTS_BACKEND_WEIGHT_CASES_H_
