#include "src/base/float_control.h"

#include <cfenv>

#include "gtest/gtest.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace specinfer {
namespace {

#if defined(__x86_64__)

TEST(ScopedFloatControl, KeepsDenormalsInsideAndRestoresTheHostsSetting) {
  constexpr unsigned kFlush = 0x8040;  // flush to zero, denormals are zero
  const unsigned saved = _mm_getcsr();
  _mm_setcsr(saved | kFlush);
  volatile float tiny = 1e-38f;
  float inside = 0.0f;
  float outside = 0.0f;

  {
    const ScopedFloatControl float_control;
    inside = tiny * 0.125f;
  }
  outside = tiny * 0.125f;

  const unsigned after = _mm_getcsr();
  _mm_setcsr(saved);
  EXPECT_GT(inside, 0.0f);
  EXPECT_EQ(outside, 0.0f);
  EXPECT_EQ(after & kFlush, kFlush);
}

TEST(ScopedFloatControl, RoundsToNearestInside) {
  const int saved = std::fegetround();
  std::fesetround(FE_UPWARD);
  volatile float one = 1.0f;
  volatile float tiny = 1e-20f;
  float inside = 0.0f;

  {
    const ScopedFloatControl float_control;
    inside = one + tiny;
  }

  const int after = std::fegetround();
  std::fesetround(saved);
  EXPECT_EQ(inside, 1.0f);
  EXPECT_EQ(after, FE_UPWARD);
}

#endif

}  // namespace
}  // namespace specinfer
