#include "src/speculate/isotonic.h"

#include <algorithm>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace specinfer {
namespace {

using testing::DoubleEq;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::Pointwise;

TEST(Isotonic, LeavesWhatIsInOrder) {
  std::vector<double> values = {0.5, 0.25, 0.25, 0.0};

  MakeNonIncreasing(absl::MakeSpan(values), {1.0, 1.0, 1.0, 1.0});

  EXPECT_THAT(values, ElementsAre(0.5, 0.25, 0.25, 0.0));
}

TEST(Isotonic, PoolsByWeight) {
  std::vector<double> values = {0.8, 0.2, 0.5};

  MakeNonIncreasing(absl::MakeSpan(values), {1.0, 2.0, 1.0});

  EXPECT_THAT(values, ElementsAre(0.8, DoubleEq(0.3), DoubleEq(0.3)));
}

TEST(Isotonic, PoolsBackOverSeveralPools) {
  std::vector<double> values = {1.0, 3.0, 2.0, 4.0, -5.0};

  MakeNonDecreasing(absl::MakeSpan(values), {1.0, 1.0, 1.0, 1.0, 1.0});

  EXPECT_THAT(values, testing::Each(DoubleEq(1.0)));
}

TEST(Isotonic, TakesNothing) {
  std::vector<double> values;

  MakeNonDecreasing(absl::MakeSpan(values), {});

  EXPECT_TRUE(values.empty());
}

// The regression by its max-min formula (Barlow et al. 1972): at i the greatest
// over first <= i of the least over last >= i of the mean of first..last.
std::vector<double> ByMeans(const std::vector<double>& values,
                            const std::vector<double>& weights) {
  std::vector<double> result;
  for (size_t i = 0; i < values.size(); ++i) {
    double greatest = -1e300;
    for (size_t first = 0; first <= i; ++first) {
      double least = 1e300, sum = 0.0, weight = 0.0;
      for (size_t last = first; last < values.size(); ++last) {
        sum += values[last] * weights[last];
        weight += weights[last];
        if (last >= i) least = std::min(least, sum / weight);
      }
      greatest = std::max(greatest, least);
    }
    result.push_back(greatest);
  }
  return result;
}

class IsotonicOfNoise : public testing::TestWithParam<int> {};

TEST_P(IsotonicOfNoise, IsTheRegression) {
  std::mt19937 random(static_cast<uint32_t>(GetParam()));
  std::uniform_real_distribution<double> uniform(0.1, 1.0);
  std::vector<double> values, weights, negated;
  for (int i = 0; i < 3 + GetParam(); ++i) {
    // Coarse values: ties.
    values.push_back(static_cast<int>(uniform(random) * 8) / 8.0);
    weights.push_back(uniform(random));
    negated.push_back(-values.back());
  }
  const std::vector<double> expected = ByMeans(values, weights);
  std::vector<double> falling = ByMeans(negated, weights);
  for (double& value : falling) value = -value;

  std::vector<double> down = values;
  MakeNonDecreasing(absl::MakeSpan(values), weights);
  MakeNonIncreasing(absl::MakeSpan(down), weights);

  EXPECT_THAT(values, Pointwise(DoubleNear(1e-12), expected));
  EXPECT_THAT(down, Pointwise(DoubleNear(1e-12), falling));
}

INSTANTIATE_TEST_SUITE_P(Lengths, IsotonicOfNoise, testing::Range(0, 30));

}  // namespace
}  // namespace specinfer
