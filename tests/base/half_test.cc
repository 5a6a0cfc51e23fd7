#include "src/base/half.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include "gtest/gtest.h"

namespace specinfer {
namespace {

// By the definition of the format.
double ExactHalf(uint32_t half) {
  const int exponent = static_cast<int>((half >> 10) & 31u);
  const int mantissa = static_cast<int>(half & 1023u);
  const double sign = (half & 0x8000u) != 0 ? -1.0 : 1.0;
  if (exponent == 31)
    return mantissa == 0 ? sign * std::numeric_limits<double>::infinity() : NAN;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

TEST(Half, BecomesTheFloatThatItsFormatDefines) {
  for (uint32_t half = 0; half <= 0xffffu; ++half) {
    const double exact = ExactHalf(half);
    const float value = HalfToFloat(static_cast<uint16_t>(half));
    if (std::isnan(exact)) {
      ASSERT_TRUE(std::isnan(value)) << half;
    } else {
      ASSERT_EQ(static_cast<double>(value), exact) << half;
    }
    ASSERT_EQ(std::signbit(value), (half & 0x8000u) != 0) << half;
  }
}

TEST(Half, ComesBackFromItsFloat) {
  for (uint32_t half = 0; half <= 0xffffu; ++half) {
    const float value = HalfToFloat(static_cast<uint16_t>(half));
    const uint16_t back = FloatToHalf(value);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(HalfToFloat(back))) << half;
    } else {
      ASSERT_EQ(back, half);
    }
  }
}

TEST(Half, RoundsBetweenNeighboursToTheNearestAndTiesToEven) {
  for (uint32_t half = 0; half < 0x7bffu; ++half) {
    const float low = HalfToFloat(static_cast<uint16_t>(half));
    const float high = HalfToFloat(static_cast<uint16_t>(half + 1));
    const float middle = low + (high - low) * 0.5f;
    ASSERT_EQ(FloatToHalf(middle), half % 2 == 0 ? half : half + 1) << half;
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, low)), half);
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, high)), half + 1);
    ASSERT_EQ(FloatToHalf(-middle), FloatToHalf(middle) | 0x8000u);
  }
}

TEST(Half, BecomesInfiniteFromTheMiddleAboveTheGreatest) {
  EXPECT_EQ(FloatToHalf(std::nextafter(65520.0f, 0.0f)), 0x7bffu);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00u);
  EXPECT_EQ(FloatToHalf(-1e30f), 0xfc00u);
  EXPECT_EQ(FloatToHalf(std::numeric_limits<float>::infinity()), 0x7c00u);
}

TEST(BFloat16, IsTheUpperHalfOfAFloat) {
  EXPECT_EQ(BFloat16ToFloat(0x3f80), 1.0f);
  EXPECT_EQ(BFloat16ToFloat(0xc049), -3.140625f);
}

}  // namespace
}  // namespace specinfer
