#include "src/speculate/acceptance.h"

#include <cmath>
#include <limits>
#include <random>

#include "gtest/gtest.h"

namespace specinfer {
namespace {

constexpr double kConfidences[] = {1e-6, 1e-4, 0.003, 0.01,   0.05,
                                   0.1,  0.2,  0.4,   0.5,    0.6,
                                   0.8,  0.9,  0.99,  0.9999, 1.0};

// Confidences as drafts have them: all of (0, 1), the sure ones often.
class Draft {
 public:
  double Confidence() { return std::pow(uniform_(random_), 0.7); }
  bool IsChosen(double probability) { return uniform_(random_) < probability; }

 private:
  std::mt19937 random_{11};
  std::uniform_real_distribution<double> uniform_;
};

TEST(Calibration, BeginsAsTheIdentity) {
  const Calibration calibration;

  for (const double confidence : {1e-5, 0.01, 0.1, 0.3, 0.5, 0.8, 0.95, 0.997})
    EXPECT_NEAR(calibration.Probability(confidence) / confidence, 1.0, 1e-9);
  EXPECT_NEAR(calibration.Probability(1.0), 1.0, 0.003);
}

TEST(Calibration, NeverFallsAndStaysAProbability) {
  Calibration calibration;
  Draft draft;
  for (int visit = 0; visit < 300; ++visit) {
    const double confidence = draft.Confidence();
    calibration.Record(confidence, draft.IsChosen(1.0 - confidence));
  }

  double before = 0.0;
  for (const double confidence : kConfidences) {
    const double probability = calibration.Probability(confidence);
    EXPECT_GE(probability, before) << confidence;
    EXPECT_LE(probability, 1.0) << confidence;
    before = probability;
  }
}

struct Law {
  const char* name;
  double (*frequency)(double confidence);
};

class CalibrationOfALaw : public testing::TestWithParam<Law> {};

TEST_P(CalibrationOfALaw, ConvergesToItsFrequencies) {
  Calibration calibration;
  Draft draft;
  double sum[3] = {};
  const double confidences[] = {0.15, 0.5, 0.9};
  for (int visit = 0; visit < 24000; ++visit) {
    const double confidence = draft.Confidence();
    calibration.Record(confidence,
                       draft.IsChosen(GetParam().frequency(confidence)));
    if (visit < 4000) continue;
    for (int i = 0; i < 3; ++i)
      sum[i] += calibration.Probability(confidences[i]) / 20000.0;
  }

  // A bin's width leaves a bias where the law is far from the identity; a
  // single estimate rests on some 700 visits to a bin.
  for (int i = 0; i < 3; ++i) {
    const double frequency = GetParam().frequency(confidences[i]);
    EXPECT_NEAR(sum[i], frequency, 0.04) << confidences[i];
    EXPECT_NEAR(calibration.Probability(confidences[i]), frequency, 0.07);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Laws, CalibrationOfALaw,
    testing::Values(Law{"Calibrated", [](double q) { return q; }},
                    Law{"Overconfident", [](double q) { return 0.6 * q; }},
                    Law{"Underconfident",
                        [](double q) { return std::sqrt(q); }},
                    Law{"Sharp", [](double q) { return q * q; }},
                    Law{"Flat", [](double) { return 0.3; }}),
    [](const auto& param) { return param.param.name; });

TEST(Calibration, GivesItsPriorTheWeightOfEightVisits) {
  Calibration calibration;

  for (int visit = 0; visit < 8; ++visit) calibration.Record(1e-9, false);

  EXPECT_NEAR(calibration.Probability(0.001) / 0.001, 0.5, 0.01);
}

// The bins below, which nobody visited, hold on to their priors a little.
TEST(Calibration, ForgetsHalfIn500Visits) {
  Calibration calibration;
  for (int visit = 0; visit < 20000; ++visit) calibration.Record(1.0, true);
  ASSERT_GT(calibration.Probability(1.0), 0.999);

  for (int visit = 0; visit < 500; ++visit) calibration.Record(1.0, false);

  EXPECT_NEAR(calibration.Probability(1.0), 0.52, 0.02);
}

TEST(Calibration, IgnoresConfidencesThatSayNothing) {
  Calibration calibration;
  const double none = std::numeric_limits<double>::quiet_NaN();

  calibration.Record(none, true);
  calibration.Record(0.0, true);
  calibration.Record(-1.0, true);

  EXPECT_EQ(calibration.Probability(none), 0.0);
  EXPECT_EQ(calibration.Probability(0.0), 0.0);
  EXPECT_EQ(calibration.Probability(0.1), Calibration().Probability(0.1));
}

TEST(PositionalAcceptance, BeginsAtItsPrior) {
  const PositionalAcceptance acceptance(4, 6);

  EXPECT_DOUBLE_EQ(acceptance.Probability(1, 0), 0.65);
  EXPECT_DOUBLE_EQ(acceptance.Probability(3, 1), 0.2);
  EXPECT_DOUBLE_EQ(acceptance.Probability(3, 3), 0.05);
  EXPECT_DOUBLE_EQ(acceptance.Probability(3, 4), 0.025);
  EXPECT_EQ(acceptance.Probability(3, 6), 0.0);
  EXPECT_EQ(acceptance.Probability(3, -1), 0.0);
}

TEST(PositionalAcceptance, ConvergesToTheFrequenciesOfEachDepth) {
  PositionalAcceptance acceptance(2, 3);
  std::mt19937 random(3);
  std::discrete_distribution<int32_t> shallow({0.5, 0.3, 0.1, 0.1});
  std::discrete_distribution<int32_t> deep({0.2, 0.15, 0.05, 0.6});
  for (int visit = 0; visit < 5000; ++visit) {
    const int32_t first = shallow(random), second = deep(random);
    acceptance.Record(1, 3, first < 3 ? first : -1);
    acceptance.Record(2, 3, second < 3 ? second : -1);
  }

  EXPECT_NEAR(acceptance.Probability(1, 0), 0.5, 0.06);
  EXPECT_NEAR(acceptance.Probability(1, 1), 0.3, 0.06);
  EXPECT_NEAR(acceptance.Probability(1, 2), 0.1, 0.04);
  EXPECT_NEAR(acceptance.Probability(2, 0), 0.2, 0.05);
  EXPECT_NEAR(acceptance.Probability(2, 1), 0.15, 0.05);
  EXPECT_NEAR(acceptance.Probability(2, 2), 0.05, 0.03);
}

TEST(PositionalAcceptance, GivesItsPriorTheWeightOfTwentyVisits) {
  PositionalAcceptance acceptance(1, 1);

  for (int visit = 0; visit < 20; ++visit) acceptance.Record(1, 1, -1);

  EXPECT_NEAR(acceptance.Probability(1, 0), 0.65 / 2.0, 0.01);
}

TEST(PositionalAcceptance, CountsOnlyChildrenThatWereThere) {
  PositionalAcceptance acceptance(2, 3);

  for (int visit = 0; visit < 100; ++visit) acceptance.Record(1, 1, -1);

  EXPECT_LT(acceptance.Probability(1, 0), 0.2);
  EXPECT_LE(acceptance.Probability(1, 1), acceptance.Probability(1, 0));
  EXPECT_DOUBLE_EQ(acceptance.Probability(1, 2), 0.1);
  EXPECT_DOUBLE_EQ(acceptance.Probability(2, 0), 0.65);
}

TEST(PositionalAcceptance, NeverPrefersALaterChild) {
  PositionalAcceptance acceptance(1, 3);

  for (int visit = 0; visit < 1000; ++visit) acceptance.Record(1, 3, 1);

  EXPECT_DOUBLE_EQ(acceptance.Probability(1, 0), acceptance.Probability(1, 1));
  EXPECT_NEAR(acceptance.Probability(1, 0), 0.5, 0.02);
}

TEST(PositionalAcceptance, CountsDeepChildrenAsTheDeepest) {
  PositionalAcceptance acceptance(2, 2);

  for (int visit = 0; visit < 1000; ++visit) acceptance.Record(9, 2, 0);

  EXPECT_GT(acceptance.Probability(2, 0), 0.95);
  EXPECT_EQ(acceptance.Probability(7, 0), acceptance.Probability(2, 0));
  EXPECT_DOUBLE_EQ(acceptance.Probability(1, 0), 0.65);
}

TEST(PositionalAcceptance, ForgetsHalfIn500Visits) {
  PositionalAcceptance acceptance(1, 1);
  for (int visit = 0; visit < 20000; ++visit) acceptance.Record(1, 1, -1);

  for (int visit = 0; visit < 500; ++visit) acceptance.Record(1, 1, 0);

  EXPECT_NEAR(acceptance.Probability(1, 0), 0.5, 0.01);
}

TEST(PositionalAcceptance, TakesMoreChildrenThanItCounts) {
  PositionalAcceptance acceptance(1, 2);

  acceptance.Record(1, 8, 7);

  EXPECT_LT(acceptance.Probability(1, 0), 0.65);
  EXPECT_LT(acceptance.Probability(1, 1), 0.2);
}

}  // namespace
}  // namespace specinfer
