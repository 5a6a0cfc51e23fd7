#include "src/base/float_control.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace specinfer {
namespace {

#if defined(__x86_64__) || defined(_M_X64)

constexpr uint64_t kStandard =
    0x1f80;  // all exceptions masked, round to nearest, denormals kept
uint64_t Get() { return _mm_getcsr(); }
void Set(uint64_t value) { _mm_setcsr(static_cast<uint32_t>(value)); }

#elif defined(__aarch64__)

constexpr uint64_t kStandard = 0;
uint64_t Get() {
  uint64_t value;
  __asm__ __volatile__("mrs %0, fpcr" : "=r"(value));
  return value;
}
void Set(uint64_t value) {
  __asm__ __volatile__("msr fpcr, %0" : : "r"(value) : "memory");
}

#else

constexpr uint64_t kStandard = 0;
uint64_t Get() { return 0; }
void Set(uint64_t) {}

#endif

}  // namespace

ScopedFloatControl::ScopedFloatControl() : saved_(Get()) { Set(kStandard); }

ScopedFloatControl::~ScopedFloatControl() { Set(saved_); }

}  // namespace specinfer
