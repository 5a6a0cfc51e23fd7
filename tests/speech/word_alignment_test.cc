#include "src/speech/word_alignment.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace specinfer {
namespace {

using testing::ElementsAre;

// One case a line: heads, rows, positions, first row, the weights | the
// positions; NumPy, by the definition in openai/whisper's timing.py.
TEST(AlignTokens, GivesTheDefinitionsPositions) {
  std::ifstream file(std::string(SPECINFER_TESTDATA) + "/speech/alignment.txt");
  int num_cases = 0;
  for (std::string line; std::getline(file, line); ++num_cases) {
    std::istringstream fields(line);
    AlignmentAttention attention;
    fields >> attention.num_heads >> attention.num_rows >>
        attention.num_positions >> attention.first_row;
    std::vector<float> weights;
    std::vector<int32_t> expected;
    std::string field;
    while (fields >> field && field != "|") weights.push_back(std::stof(field));
    for (int32_t position; fields >> position;) expected.push_back(position);
    attention.weights = weights;

    const auto positions = AlignTokens(attention);

    ASSERT_TRUE(positions.ok()) << positions.status();
    ASSERT_EQ(*positions, expected) << "case " << num_cases;
  }
  EXPECT_EQ(num_cases, 24);
}

TEST(AlignTokens, RefusesShapesThatDoNotFit) {
  const std::vector<float> weights(24, 0.5f);
  EXPECT_TRUE(AlignTokens({weights, 2, 3, 4, 1}).ok());
  EXPECT_FALSE(AlignTokens({weights, 2, 3, 4, 2}).ok());
  EXPECT_FALSE(AlignTokens({weights, 2, 3, 5, 1}).ok());
  EXPECT_FALSE(AlignTokens({{}, 0, 3, 4, 1}).ok());
  EXPECT_FALSE(AlignTokens({{}, 2, 3, 0, 1}).ok());
}

TEST(AlignTokens, SurvivesWeightsThatAreNoNumbers) {
  std::vector<float> weights(2 * 6 * 9,
                             std::numeric_limits<float>::quiet_NaN());
  const auto nothing = AlignTokens({weights, 2, 6, 9, 2});
  std::fill(weights.begin(), weights.end(), 0.0f);
  const auto zeros = AlignTokens({weights, 2, 6, 9, 2});

  for (const auto& positions : {nothing, zeros}) {
    ASSERT_TRUE(positions.ok());
    ASSERT_EQ(positions->size(), 3u);
    for (const int32_t position : *positions) {
      EXPECT_GE(position, 0);
      EXPECT_LT(position, 9);
    }
  }
}

TEST(MedianFilter, MirrorsTheEnds) {
  const std::vector<float> in = {5, 1, 4, 2, 3};
  std::vector<float> out(5);
  MedianFilter(in, 5, absl::MakeSpan(out));
  // Around the first: 2 4 1 5 1 4 2.
  EXPECT_THAT(out, ElementsAre(2, 3, 2, 3, 2));

  const std::vector<float> few = {3, 1, 2, 9, 8, 7};
  std::vector<float> same(6);
  MedianFilter(few, 3, absl::MakeSpan(same));
  EXPECT_EQ(same, few);
}

// The least cost of every path from (row, column) to the end.
double CheapestFrom(const std::vector<float>& cost, int rows, int columns,
                    int row, int column) {
  const double here = cost[static_cast<size_t>(row * columns + column)];
  if (row == rows - 1 && column == columns - 1) return here;
  double best = std::numeric_limits<double>::infinity();
  for (const auto& [down, right] : {std::pair(1, 0), {0, 1}, {1, 1}}) {
    if (row + down >= rows || column + right >= columns) continue;
    best = std::min(
        best, CheapestFrom(cost, rows, columns, row + down, column + right));
  }
  return here + best;
}

// Follows the cheapest path by asking for the rest's cost at each step.
std::vector<int32_t> BruteForce(const std::vector<float>& cost, int rows,
                                int columns) {
  std::vector<int32_t> first = {0};
  int row = 0, column = 0;
  while (row < rows - 1 || column < columns - 1) {
    std::pair<int, int> best;
    double least = std::numeric_limits<double>::infinity();
    for (const auto& step : {std::pair(1, 0), {0, 1}, {1, 1}}) {
      if (row + step.first >= rows || column + step.second >= columns) continue;
      const double rest = CheapestFrom(cost, rows, columns, row + step.first,
                                       column + step.second);
      if (rest < least) {
        least = rest;
        best = step;
      }
    }
    row += best.first;
    column += best.second;
    if (best.first == 1) first.push_back(column);
  }
  return first;
}

TEST(WarpTime, FindsTheCheapestOfAllPaths) {
  std::mt19937 random(9);
  std::normal_distribution<float> normal;
  for (int i = 0; i < 400; ++i) {
    const int rows = 1 + static_cast<int>(random() % 5);
    const int columns = 1 + static_cast<int>(random() % 6);
    std::vector<float> cost(static_cast<size_t>(rows * columns));
    for (float& place : cost) place = normal(random);

    ASSERT_EQ(WarpTime(cost, rows, columns), BruteForce(cost, rows, columns))
        << rows << " x " << columns;
  }
}

}  // namespace
}  // namespace specinfer
