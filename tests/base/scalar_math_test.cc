#include "src/base/scalar_math.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include "gtest/gtest.h"

namespace specinfer {
namespace {

// The error in units of the last place of the exact value.
double UlpError(float value, double exact) {
  const float rounded = static_cast<float>(exact);
  const double unit = std::fabs(
      double{std::nextafter(rounded, std::numeric_limits<float>::infinity())} -
      rounded);
  return std::fabs(value - exact) / unit;
}

TEST(Exp, IsWithinTwoUnitsOfTheLastPlace) {
  double greatest = 0.0;
  for (int i = -87 * 1024; i <= 88 * 1024; ++i) {
    const float x = static_cast<float>(i) * 0x1p-10f;
    greatest = std::fmax(greatest, UlpError(Exp(x), std::exp(double{x})));
  }
  EXPECT_LT(greatest, 2.0);
}

TEST(Exp, IsZeroBelowItsRange) {
  EXPECT_EQ(Exp(-87.0001f), 0.0f);
  EXPECT_EQ(Exp(-std::numeric_limits<float>::infinity()), 0.0f);
}

TEST(Exp, IsFiniteAboveItsRange) {
  EXPECT_EQ(Exp(std::numeric_limits<float>::infinity()), Exp(88.0f));
}

TEST(Exp, KeepsNan) {
  EXPECT_TRUE(std::isnan(Exp(std::numeric_limits<float>::quiet_NaN())));
}

TEST(Exp, IsExactlyOneAtZero) {
  EXPECT_EQ(Exp(0.0f), 1.0f);
  EXPECT_EQ(Exp(-0.0f), 1.0f);
}

TEST(Log, IsWithinTwoUnitsOfTheLastPlace) {
  double greatest = 0.0;
  for (uint32_t bits = 0x00800000u; bits < 0x7f800000u; bits += 9973u) {
    const float x = std::bit_cast<float>(bits);
    if (std::fabs(x - 1.0f) < 1e-3f)
      continue;  // where ln x is as small as its own error
    greatest = std::fmax(greatest, UlpError(Log(x), std::log(double{x})));
  }
  EXPECT_LT(greatest, 2.0);
}

TEST(Log, IsCloseNearOne) {
  for (int i = -1000; i <= 1000; ++i) {
    const float x = 1.0f + static_cast<float>(i) * 0x1p-20f;
    ASSERT_NEAR(Log(x), std::log(double{x}), 1e-9) << x;
  }
}

TEST(SinCos, IsTheRoundedExactValueOrItsNeighbour) {
  double greatest = 0.0;
  for (int i = -200000; i <= 200000; ++i) {
    const double angle = i * 0.731;
    const SinCos turn = ComputeSinCos(angle);
    greatest = std::fmax(greatest, std::fabs(turn.sin - std::sin(angle)));
    greatest = std::fmax(greatest, std::fabs(turn.cos - std::cos(angle)));
  }
  EXPECT_LT(greatest, 0x1p-24);
}

TEST(SinCos, HoldsForLargeAngles) {
  for (int i = 0; i < 1000; ++i) {
    const double angle = 1e9 + 12345.678 * i;
    const SinCos turn = ComputeSinCos(angle);
    ASSERT_NEAR(turn.sin, std::sin(angle), 1e-6) << angle;
    ASSERT_NEAR(turn.cos, std::cos(angle), 1e-6) << angle;
  }
}

}  // namespace
}  // namespace specinfer
