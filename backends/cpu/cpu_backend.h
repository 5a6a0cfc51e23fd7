// The CPU as a backend: host memory, packed weights, streams. Chooses kernels
// by instruction set once.
#ifndef SPECINFER_BACKENDS_CPU_CPU_BACKEND_H_
#define SPECINFER_BACKENDS_CPU_CPU_BACKEND_H_

#include <memory>
#include <string_view>

#include "backends/cpu/isa.h"
#include "src/backend/backend.h"
#include "src/base/executor.h"
#include "src/base/memory.h"

namespace specinfer::cpu {

class CpuBackend final : public Backend {
 public:
  // `memory` and `executor` must outlive this.
  CpuBackend(Isa isa, Memory& memory, Executor& executor)
      : isa_(isa), memory_(memory), executor_(executor) {}

  std::string_view name() const override;
  absl::StatusOr<std::unique_ptr<Buffer>> Allocate(
      size_t num_bytes, std::string_view what) override;
  absl::StatusOr<std::unique_ptr<Buffer>> Reserve(
      size_t num_bytes, std::string_view what) override;
  absl::Status Commit(Buffer& reserved, size_t num_bytes) override;
  absl::StatusOr<std::unique_ptr<Weight>> Pack(
      const WeightSource& source) override;
  size_t PackedBytes(DType dtype, int64_t outputs,
                     int64_t inputs) const override;
  PackedFamily packed_family() const override;
  absl::StatusOr<std::unique_ptr<Weight>> Adopt(
      const WeightSource& packed) override;
  absl::StatusOr<std::unique_ptr<Buffer>> AdoptBuffer(
      absl::Span<const uint8_t> bytes) override;
  absl::StatusOr<std::unique_ptr<Stream>> CreateStream(
      const StreamLimits& limits) override;
  size_t StreamBytes(const StreamLimits& limits) const override;
  absl::Span<const PassRatio> typical_pass_ratios() const override;
  absl::StatusOr<MachineRates> Measure(
      absl::Span<const Weight* const> weights) override;

 private:
  const Isa isa_;
  Memory& memory_;
  Executor& executor_;
};

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_CPU_BACKEND_H_
