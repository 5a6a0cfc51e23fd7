#include "src/base/float_control.h"

#include "gtest/gtest.h"

#include "tests/base/float_mode.h"

namespace specinfer {
namespace {

using testing::FloatMode;
using testing::kFlushDenormals;
using testing::kRoundTowardZero;
using testing::ScopedFloatMode;

TEST(ScopedFloatControl, KeepsDenormalsInsideAndRestoresTheHostsSetting) {
  volatile float tiny = 1e-38f;
  volatile float inside = 0.0f;
  volatile float outside = 0.0f;
  uint64_t after = 0;

  {
    const ScopedFloatMode host(kFlushDenormals);
    {
      const ScopedFloatControl float_control;
      inside = tiny * 0.125f;
    }
    outside = tiny * 0.125f;
    after = FloatMode();
  }

  EXPECT_GT(inside, 0.0f);
  EXPECT_EQ(outside, 0.0f);
  EXPECT_EQ(after & kFlushDenormals, kFlushDenormals);
}

TEST(ScopedFloatControl, RoundsToNearestInside) {
  volatile float one = 1.0f;
  volatile float nearly_one_step = 0.9e-7f;  // a step is 1.2e-7
  volatile float inside = 0.0f;
  volatile float outside = 0.0f;
  uint64_t after = 0;

  {
    const ScopedFloatMode host(kRoundTowardZero);
    {
      const ScopedFloatControl float_control;
      inside = one + nearly_one_step;
    }
    outside = one + nearly_one_step;
    after = FloatMode();
  }

  EXPECT_GT(inside, 1.0f);
  EXPECT_EQ(outside, 1.0f);
  EXPECT_EQ(after & kRoundTowardZero, kRoundTowardZero);
}

}  // namespace
}  // namespace specinfer
