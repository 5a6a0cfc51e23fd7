#include "backends/cpu/cpu_backend.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/cpu_stream.h"
#include "backends/cpu/kernels/linear.h"
#include "backends/cpu/kernels/ops.h"
#include "backends/cpu/kernels/pack.h"
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

// Of a 1.5B model of four bits on two cores; more cores at the same memory are
// flatter. NEON, never timed, is taken for the flattest.
absl::Span<const PassRatio> CpuBackend::typical_pass_ratios() const {
  static constexpr PassRatio kAmx[] = {{1, 1.0}, {2, 1.04},  {4, 1.2},
                                       {8, 1.5}, {16, 2.15}, {32, 3.1},
                                       {64, 5.4}};
  static constexpr PassRatio kAvx512[] = {{1, 1.0},  {2, 1.02}, {4, 1.1},
                                          {8, 1.35}, {16, 2.4}, {32, 4.6},
                                          {64, 9.0}};
  static constexpr PassRatio kAvx2[] = {{1, 1.0},  {2, 1.15}, {4, 1.7},
                                        {8, 2.9},  {16, 5.2}, {32, 10.0},
                                        {64, 20.0}};
  static constexpr PassRatio kReference[] = {{1, 1.0},  {2, 2.0},   {4, 4.0},
                                             {8, 8.0},  {16, 16.0}, {32, 32.0},
                                             {64, 64.0}};
  switch (isa_) {
    case Isa::kAmx:
    case Isa::kNeon:
      return kAmx;
    case Isa::kAvx512:
      return kAvx512;
    case Isa::kAvx2:
      return kAvx2;
    case Isa::kReference:
      break;
  }
  return kReference;
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

PackedFamily CpuBackend::packed_family() const {
  if (isa_ == Isa::kReference) return {};
  return {"cpu-16x32", kPackedVersion};
}

absl::StatusOr<std::unique_ptr<Weight>> CpuBackend::Adopt(
    const WeightSource& packed) {
  return AdoptWeight(packed, isa_);
}

absl::StatusOr<std::unique_ptr<Buffer>> CpuBackend::AdoptBuffer(
    absl::Span<const uint8_t> bytes) {
  return std::make_unique<AdoptedBuffer>(bytes);
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
  // The fastest first.
  const struct {
    std::string_view name;
    cpu::Isa isa;
    bool is_here;
  } variants[] = {
#if defined(__x86_64__)
    {"amx", cpu::Isa::kAmx, features.amx},
    {"avx512", cpu::Isa::kAvx512, features.avx512},
    {"avx2", cpu::Isa::kAvx2, features.avx2},
#elif defined(__aarch64__)
    {"neon", cpu::Isa::kNeon, features.dotprod},
#endif
    {"reference", cpu::Isa::kReference, true}
  };
  std::string names;
  for (const auto& each : variants) {
    if (each.is_here && (variant.empty() || variant == each.name))
      return std::make_unique<cpu::CpuBackend>(each.isa, memory, executor);
    absl::StrAppend(&names, ", cpu-", std::string(each.name));
    if (variant != each.name) continue;
    return absl::NotFoundError(absl::StrCat(
        "backend \"cpu-", std::string(variant), "\": this machine (",
        features.name,
        ") lacks its instructions; backend \"cpu\" picks the best it has"));
  }
  return absl::NotFoundError(
      absl::StrCat("backend \"cpu-", std::string(variant),
                   "\": this build has none of that name; it has cpu", names));
}

}  // namespace specinfer
