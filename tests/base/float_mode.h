// The calling thread's floating-point mode, as hosts may set it.
#ifndef SPECINFER_TESTS_BASE_FLOAT_MODE_H_
#define SPECINFER_TESTS_BASE_FLOAT_MODE_H_

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace specinfer::testing {

#if defined(__x86_64__)

inline constexpr uint64_t kFlushDenormals = 0x8040;  // results and operands
inline constexpr uint64_t kRoundTowardZero = 0x6000;
inline constexpr uint64_t kFloatModeBits = 0xffc0;  // others are flags
inline uint64_t FloatMode() { return _mm_getcsr() & kFloatModeBits; }
inline void SetFloatMode(uint64_t mode) {
  _mm_setcsr(static_cast<unsigned>(mode));
}

#elif defined(__aarch64__)

inline constexpr uint64_t kFlushDenormals = uint64_t{1} << 24;
inline constexpr uint64_t kRoundTowardZero = uint64_t{3} << 22;
inline uint64_t FloatMode() {
  uint64_t mode;
  __asm__ __volatile__("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
inline void SetFloatMode(uint64_t mode) {
  __asm__ __volatile__("msr fpcr, %0" : : "r"(mode) : "memory");
}

#else
#error "how does this processor set its floating-point mode?"
#endif

// Adds bits to the thread's mode while it lives.
class ScopedFloatMode {
 public:
  explicit ScopedFloatMode(uint64_t bits) : saved_(FloatMode()) {
    SetFloatMode(saved_ | bits);
  }
  ~ScopedFloatMode() { SetFloatMode(saved_); }
  ScopedFloatMode(const ScopedFloatMode&) = delete;
  ScopedFloatMode& operator=(const ScopedFloatMode&) = delete;

 private:
  const uint64_t saved_;
};

}  // namespace specinfer::testing

#endif  // SPECINFER_TESTS_BASE_FLOAT_MODE_H_
