#include "backends/cpu/cpu_backend.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/cpu_stream.h"
#include "backends/cpu/kernels/linear.h"
#include "backends/cpu/kernels/ops.h"
#include "src/backend/registry.h"
#include "src/base/cpu_features.h"
#include "src/base/status_macros.h"

namespace specinfer {
namespace cpu {

std::string_view CpuBackend::name() const {
  switch (isa_) {
    case Isa::kAvx512:
      return "cpu-avx512";
    case Isa::kAvx2:
      return "cpu-avx2";
    case Isa::kAmx:
      return "cpu-amx";
    case Isa::kNeon:
      return "cpu-neon";
    case Isa::kReference:
      break;
  }
  return "cpu-reference";
}

absl::StatusOr<std::unique_ptr<Buffer>> CpuBackend::Allocate(
    size_t num_bytes, std::string_view what) {
  SPECINFER_ASSIGN_OR_RETURN(Block block, memory_.Allocate(num_bytes, what));
  return std::make_unique<CpuBuffer>(std::move(block));
}

absl::StatusOr<std::unique_ptr<Buffer>> CpuBackend::Reserve(
    size_t num_bytes, std::string_view what) {
  SPECINFER_ASSIGN_OR_RETURN(Block block, memory_.Reserve(num_bytes, what));
  return std::make_unique<CpuBuffer>(std::move(block));
}

absl::Status CpuBackend::Commit(Buffer& reserved, size_t num_bytes) {
  return static_cast<CpuBuffer&>(reserved).block().Commit(num_bytes);
}

absl::StatusOr<std::unique_ptr<Weight>> CpuBackend::Pack(
    const WeightSource& source) {
  return PackWeight(source, isa_, memory_, executor_);
}

size_t CpuBackend::PackedBytes(DType dtype, int64_t outputs,
                               int64_t inputs) const {
  return PackedWeightBytes(dtype, outputs, inputs);
}

absl::Status AllocateScratch(const StreamLimits& limits, int num_workers,
                             Memory& memory, Scratch* scratch) {
  SPECINFER_RETURN_IF_ERROR(
      AllocateLinearScratch(limits, num_workers, memory, scratch));
  return AllocateAttentionScratch(limits, num_workers, memory, scratch);
}

absl::StatusOr<std::unique_ptr<Stream>> CpuBackend::CreateStream(
    const StreamLimits& limits) {
  Scratch scratch;
  SPECINFER_RETURN_IF_ERROR(
      AllocateScratch(limits, executor_.num_workers(), memory_, &scratch));
  return std::make_unique<CpuStream>(isa_, executor_, std::move(scratch));
}

// Takes the same blocks from an arena without a limit and counts: memory that
// nobody writes costs nothing.
size_t CpuBackend::StreamBytes(const StreamLimits& limits) const {
  Memory counter(/*budget_bytes=*/0);
  Scratch scratch;
  if (!AllocateScratch(limits, executor_.num_workers(), counter, &scratch)
           .ok()) {
    return 0;
  }
  return counter.used_bytes();
}

}  // namespace cpu

absl::StatusOr<std::unique_ptr<Backend>> CreateCpuBackend(
    std::string_view variant, Memory& memory, Executor& executor) {
  const CpuFeatures features = DetectCpuFeatures();
  const auto make = [&](cpu::Isa isa) {
    return std::make_unique<cpu::CpuBackend>(isa, memory, executor);
  };
  if (variant.empty()) {
    return make(features.avx512 ? cpu::Isa::kAvx512
                : features.avx2 ? cpu::Isa::kAvx2
                                : cpu::Isa::kReference);
  }
  if (variant == "reference") return make(cpu::Isa::kReference);
  if (variant == "avx2" && features.avx2) return make(cpu::Isa::kAvx2);
  if (variant == "avx512" && features.avx512) return make(cpu::Isa::kAvx512);
  const std::string name =
      absl::StrCat("backend \"cpu-", std::string(variant), "\": ");
  if (variant == "avx2" || variant == "avx512") {
    return absl::NotFoundError(absl::StrCat(
        name, "this machine (", features.name,
        ") lacks its instructions; backend \"cpu\" picks the best it has"));
  }
  return absl::NotFoundError(
      absl::StrCat(name,
                   "this build has none of that name; it has cpu, "
                   "cpu-reference, cpu-avx2 and cpu-avx512"));
}

}  // namespace specinfer
