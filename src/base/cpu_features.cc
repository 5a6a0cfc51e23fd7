#include "src/base/cpu_features.h"

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <unistd.h>

#include <sys/syscall.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace specinfer {
namespace {

#if defined(__x86_64__)

// The tiles' state is granted to a process only after it asks (Linux 5.16 and
// later).
bool AskForTiles() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileState = 18;              // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileState) == 0;
#else
  return false;
#endif
}

bool HasTiles() {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  constexpr uint32_t kAmxTile = 1u << 24;
  constexpr uint32_t kAmxInt8 = 1u << 25;
  return (edx & kAmxTile) != 0 && (edx & kAmxInt8) != 0;
}

std::string BrandName() {
  constexpr uint32_t kFirstLeaf = 0x80000002u;
  uint32_t words[12] = {};
  for (uint32_t i = 0; i < 3; ++i) {
    uint32_t* w = words + 4 * i;
    if (__get_cpuid(kFirstLeaf + i, &w[0], &w[1], &w[2], &w[3]) == 0) return "";
  }
  char text[sizeof(words) + 1] = {};
  std::memcpy(text, words, sizeof(words));
  std::string name(text);
  const size_t first = name.find_first_not_of(' ');
  const size_t last = name.find_last_not_of(' ');
  return first == std::string::npos ? "" : name.substr(first, last - first + 1);
}

#endif

}  // namespace

CpuFeatures DetectCpuFeatures() {
  CpuFeatures features;
#if defined(__x86_64__)
  __builtin_cpu_init();
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr uint32_t kF16c = 1u << 29;
  const bool has_f16c =
      __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & kF16c) != 0;
  // These also ask whether the operating system saves the registers.
  features.avx2 = __builtin_cpu_supports("avx2") &&
                  __builtin_cpu_supports("fma") && has_f16c;
  features.avx512 = features.avx2 && __builtin_cpu_supports("avx512f") &&
                    __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("avx512vbmi") &&
                    __builtin_cpu_supports("avx512vnni");
  features.amx = features.avx512 && HasTiles() && AskForTiles();
  features.name = BrandName();
#elif defined(__aarch64__)
#if defined(__linux__)
  constexpr unsigned long kDotProducts = 1ul << 20;     // HWCAP_ASIMDDP
  constexpr unsigned long kMatrixProducts = 1ul << 13;  // HWCAP2_I8MM
  features.dotprod = (getauxval(AT_HWCAP) & kDotProducts) != 0;
  features.i8mm = (getauxval(AT_HWCAP2) & kMatrixProducts) != 0;
#elif defined(__ARM_FEATURE_DOTPROD)
  features.dotprod = true;  // else this program would not run here
#endif
  features.name = "AArch64";
#endif
  if (features.name.empty()) features.name = "unknown";
  return features;
}

}  // namespace specinfer
