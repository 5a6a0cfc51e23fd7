#include "src/base/duty_cycle.h"

#include "gtest/gtest.h"

namespace specinfer {
namespace {

constexpr int64_t kTileMicros = 50;

// Computes in tiles from `begin_us` to `end_us` as a loop does, sleeping where
// it should; gives the microseconds that were computed.
int64_t Compute(DutyCycle& duty_cycle, int64_t begin_us, int64_t end_us,
                int64_t tile_us = kTileMicros) {
  int64_t computed_us = 0;
  int64_t now_us = begin_us;
  while (now_us < end_us) {
    const bool is_limited = duty_cycle.Begin(now_us);
    int64_t pause_end_us = 0;
    while (now_us < end_us &&
           (!is_limited || (pause_end_us = duty_cycle.PauseEnd(now_us)) == 0)) {
      now_us += tile_us;
      computed_us += tile_us;
    }
    if (is_limited) duty_cycle.End(now_us);
    if (pause_end_us > now_us) now_us = pause_end_us;
  }
  return computed_us;
}

constexpr int64_t kStart = 1000000000;
constexpr int64_t kSecond = 1000000;

TEST(DutyCycle, HasNoLimitUnlessTold) {
  DutyCycle duty_cycle;

  EXPECT_FALSE(duty_cycle.Begin(kStart));
  EXPECT_EQ(Compute(duty_cycle, kStart, kStart + kSecond), kSecond);
}

class DutyCycleFraction : public testing::TestWithParam<double> {};

TEST_P(DutyCycleFraction, IsKeptOverASecond) {
  DutyCycle duty_cycle;
  duty_cycle.set_fraction(GetParam());

  const double computed =
      static_cast<double>(Compute(duty_cycle, kStart, kStart + kSecond));

  EXPECT_NEAR(computed / kSecond, GetParam(), 0.02);
}

TEST_P(DutyCycleFraction, IsKeptOverTwoWindows) {
  DutyCycle duty_cycle;
  duty_cycle.set_fraction(GetParam());
  Compute(duty_cycle, kStart, kStart + kSecond);
  constexpr int64_t kTwoWindows = 2 * DutyCycle::kWindowMicros;

  for (int64_t at = kStart + kSecond; at < kStart + 2 * kSecond;
       at += kTwoWindows) {
    const double computed =
        static_cast<double>(Compute(duty_cycle, at, at + kTwoWindows));
    EXPECT_LE(computed / kTwoWindows, GetParam() + 0.02);
  }
}

TEST_P(DutyCycleFraction, IsKeptWithTilesLongerThanItsWindow) {
  DutyCycle duty_cycle;
  duty_cycle.set_fraction(GetParam());

  const double computed = static_cast<double>(
      Compute(duty_cycle, kStart, kStart + 100 * kSecond, /*tile_us=*/45000));

  EXPECT_NEAR(computed / (100 * kSecond), GetParam(), 0.02);
}

INSTANTIATE_TEST_SUITE_P(Fractions, DutyCycleFraction,
                         testing::Values(0.01, 0.1, 0.5, 0.75, 0.95));

TEST(DutyCycle, RestEarnsNoMoreThanOneWindowsWork) {
  DutyCycle duty_cycle;
  duty_cycle.set_fraction(0.5);
  Compute(duty_cycle, kStart, kStart + kSecond);

  const int64_t after_rest = kStart + 100 * kSecond;
  const int64_t computed =
      Compute(duty_cycle, after_rest, after_rest + DutyCycle::kWindowMicros);

  EXPECT_LE(computed, DutyCycle::kWindowMicros / 2 + kTileMicros);
}

TEST(DutyCycle, ShortWorkNowAndThenIsNeverPaused) {
  DutyCycle duty_cycle;
  duty_cycle.set_fraction(0.25);

  for (int64_t frame = 0; frame < 100; ++frame) {
    const int64_t at = kStart + frame * 16000;
    ASSERT_TRUE(duty_cycle.Begin(at));
    ASSERT_EQ(duty_cycle.PauseEnd(at + 2000), 0) << "frame " << frame;
    duty_cycle.End(at + 2000);
  }
}

TEST(DutyCycle, TwoLoopsAtOnceCountOnce) {
  DutyCycle duty_cycle;
  duty_cycle.set_fraction(0.5);
  ASSERT_TRUE(duty_cycle.Begin(kStart));
  ASSERT_TRUE(duty_cycle.Begin(kStart));

  constexpr int64_t kWork = DutyCycle::kWindowMicros / 2;
  EXPECT_EQ(duty_cycle.PauseEnd(kStart + kWork - 100), 0);
  EXPECT_GT(duty_cycle.PauseEnd(kStart + kWork + 100), kStart + kWork);
}

TEST(DutyCycle, AProcessThatWasStoppedPausesForSecondsNotHours) {
  DutyCycle duty_cycle;
  duty_cycle.set_fraction(0.01);
  ASSERT_TRUE(duty_cycle.Begin(kStart));

  const int64_t now = kStart + 3600 * kSecond;

  EXPECT_LE(duty_cycle.PauseEnd(now), now + 15 * kSecond);
}

TEST(DutyCycle, LiftingTheLimitEndsThePause) {
  DutyCycle duty_cycle;
  duty_cycle.set_fraction(0.01);
  ASSERT_TRUE(duty_cycle.Begin(kStart));
  ASSERT_GT(duty_cycle.PauseEnd(kStart + 10000), kStart + 10000);

  duty_cycle.set_fraction(1.0);

  EXPECT_EQ(duty_cycle.PauseEnd(kStart + 10001), 0);
}

}  // namespace
}  // namespace specinfer
