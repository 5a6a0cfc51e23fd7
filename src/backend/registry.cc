#include "src/backend/registry.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace specinfer {

absl::StatusOr<std::unique_ptr<Backend>> CreateBackend(std::string_view name,
                                                       Memory& memory,
                                                       Executor& executor) {
  constexpr std::string_view kCpu = "cpu";
  if (name == kCpu) return CreateCpuBackend("", memory, executor);
  if (name.size() > kCpu.size() && name.substr(0, kCpu.size()) == kCpu &&
      name[kCpu.size()] == '-') {
    const std::string_view variant = name.substr(kCpu.size() + 1);
    if (!variant.empty()) return CreateCpuBackend(variant, memory, executor);
  }
  return absl::NotFoundError(
      absl::StrCat("backend \"", std::string(name),
                   "\": this build has none of that name; it has cpu, "
                   "cpu-reference, and cpu-avx2, cpu-avx512 and cpu-amx "
                   "(x86-64) or cpu-neon (AArch64)"));
}

}  // namespace specinfer
