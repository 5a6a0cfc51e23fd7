#include "src/sample/processors.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace specinfer {
namespace {

std::vector<Adjustment> Collect(const SamplingOptions& options,
                                std::vector<Token> text,
                                std::vector<Token> path = {}) {
  Processors processors(options);
  std::vector<Adjustment> adjustments;
  processors.Collect(text, path, &adjustments);
  return adjustments;
}

TEST(Processors, WithoutOptionsChangeNothing) {
  EXPECT_TRUE(Collect({}, {1, 2, 3}).empty());
}

TEST(Processors, CountOccurrencesInTheWindowOnly) {
  SamplingOptions options;
  options.frequency_penalty = 0.5f;
  options.presence_penalty = 0.25f;
  options.penalty_window = 3;

  const std::vector<Adjustment> adjustments = Collect(options, {9, 4, 7, 4});

  ASSERT_EQ(adjustments.size(), 2u);
  EXPECT_EQ(adjustments[0].token, 4);
  EXPECT_FLOAT_EQ(adjustments[0].bias, -1.25f);
  EXPECT_EQ(adjustments[1].token, 7);
  EXPECT_FLOAT_EQ(adjustments[1].bias, -0.75f);
}

TEST(Processors, CountThePathAfterTheText) {
  SamplingOptions options;
  options.presence_penalty = 1.0f;
  options.penalty_window = 2;

  const std::vector<Adjustment> adjustments = Collect(options, {1, 2}, {3});

  ASSERT_EQ(adjustments.size(), 2u);
  EXPECT_EQ(adjustments[0].token, 2);
  EXPECT_EQ(adjustments[1].token, 3);
}

TEST(Processors, MergeBiasAndPenaltyOfOneToken) {
  SamplingOptions options;
  options.presence_penalty = 1.0f;
  options.repetition_penalty = 1.5f;
  options.logit_biases = {{.token = 5, .bias = 3.0f}};

  const std::vector<Adjustment> adjustments = Collect(options, {5});

  ASSERT_EQ(adjustments.size(), 1u);
  EXPECT_FLOAT_EQ(adjustments[0].bias, 2.0f);
  EXPECT_FLOAT_EQ(adjustments[0].repetition, 1.5f);
}

// The penalty by its definition: for each earlier place, the length of the
// common suffix.
TEST(Processors, DryPenalisesWhatWouldContinueARepetition) {
  SamplingOptions options;
  options.dry_multiplier = 0.8f;
  options.dry_base = 2.0f;
  options.dry_allowed_length = 2;

  // "1 2 3" came before and was followed by 4: length 3. "2 3" was followed by
  // 6 later: length 2.
  const std::vector<Adjustment> adjustments =
      Collect(options, {1, 2, 3, 4, 2, 3, 6, 1, 2, 3});

  ASSERT_EQ(adjustments.size(), 2u);
  EXPECT_EQ(adjustments[0].token, 4);
  EXPECT_FLOAT_EQ(adjustments[0].bias, -0.8f * 2.0f);
  EXPECT_EQ(adjustments[1].token, 6);
  EXPECT_FLOAT_EQ(adjustments[1].bias, -0.8f);
}

TEST(Processors, DryDoesNotReachAcrossABreaker) {
  SamplingOptions options;
  options.dry_multiplier = 0.8f;
  options.dry_allowed_length = 2;
  const std::vector<uint64_t> breakers = {uint64_t{1} << 3};
  options.dry_breakers = breakers;

  EXPECT_TRUE(Collect(options, {1, 2, 3, 4, 1, 2, 3}).empty());
}

TEST(Processors, DryEqualsItsDefinitionOnRandomTexts) {
  SamplingOptions options;
  options.dry_multiplier = 1.0f;
  options.dry_base = 1.5f;
  options.dry_allowed_length = 2;
  uint32_t state = 1;
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<Token> text;
    for (int i = 0; i < 60; ++i) {
      state = state * 1664525u + 1013904223u;
      text.push_back(static_cast<Token>((state >> 16) % 3));
    }
    std::vector<int> longest(3, 0);
    const int size = static_cast<int>(text.size());
    for (int next = 1; next < size; ++next) {
      int length = 0;
      while (length < next &&
             text[next - 1 - length] == text[size - 1 - length])
        ++length;
      longest[text[next]] = std::max(longest[text[next]], length);
    }
    const std::vector<Adjustment> adjustments = Collect(options, text);
    for (Token token = 0; token < 3; ++token) {
      float expected = 0.0f;
      if (longest[token] >= 2)
        expected = -std::min(
            1e9f, static_cast<float>(std::pow(1.5, longest[token] - 2)));
      float actual = 0.0f;
      for (const Adjustment& adjustment : adjustments) {
        if (adjustment.token == token) actual = adjustment.bias;
      }
      EXPECT_NEAR(actual, expected, std::abs(expected) * 1e-4f)
          << "trial " << trial << " token " << token;
    }
  }
}

}  // namespace
}  // namespace specinfer
