#include "src/speculate/mixer.h"

#include "gtest/gtest.h"

namespace specinfer {
namespace {

TEST(Mixer, GoesWithBoth) {
  const Mixer mixer;
  EXPECT_NEAR(mixer.Mix(0.5, 0.5), 0.5, 1e-9);
  EXPECT_GT(mixer.Mix(0.8, 0.8), 0.8);
  EXPECT_LT(mixer.Mix(0.9, 0.02), 0.5);
  EXPECT_NEAR(mixer.Mix(0.7, 0.2), 1.0 - mixer.Mix(0.3, 0.8), 1e-9);
  // Neither is ever believed without a doubt.
  EXPECT_LT(mixer.Mix(1.0, 1.0), 1.0);
  EXPECT_GT(mixer.Mix(0.0, 0.0), 0.0);
}

TEST(Mixer, LearnsWhoKnows) {
  Mixer mixer;
  for (int i = 0; i < 500; ++i) {
    const bool is_true = i % 3 != 0;
    mixer.Learn(/*first=*/i % 2 == 0 ? 0.9 : 0.1,
                /*second=*/is_true ? 0.9 : 0.1, is_true);
  }
  EXPECT_GT(mixer.Mix(0.1, 0.9), 0.9);
  EXPECT_LT(mixer.Mix(0.9, 0.1), 0.1);
}

}  // namespace
}  // namespace specinfer
