// The law of a node's token is the target's, by exact enumeration.
#include "src/speculate/residual_law.h"

#include <limits>

#include "gtest/gtest.h"

#include "tests/speculate/exact_law.h"

namespace specinfer {
namespace {

ResidualLaw NewResidual(size_t vocabulary) {
  static Memory memory(/*budget_bytes=*/0);
  return *ResidualLaw::Create(static_cast<int32_t>(vocabulary), memory);
}

Outcome ExactOutcome(const Law& target, const Law& draft, size_t children) {
  ResidualLaw residual = NewResidual(target.size());
  return ExactOutcome(target, draft, children, &residual);
}

double Error(const Outcome& outcome, const Law& target) {
  const std::vector<double> law = outcome.law(), expected = Normalised(target);
  double error = 0.0;
  for (size_t i = 0; i < law.size(); ++i)
    error = std::max(error, std::fabs(law[i] - expected[i]));
  return error;
}

TEST(ResidualLaw, GivesTheTargetsLawForEveryNumberOfChildren) {
  for (size_t vocabulary = 1; vocabulary <= 6; ++vocabulary) {
    for (uint32_t salt = 0; salt < 12; ++salt) {
      // Every other pair has holes in its supports.
      const Law target = RandomLaw(vocabulary, salt, salt % 2 == 0 ? 0 : 3);
      const Law draft = RandomLaw(vocabulary, 100 + salt, salt % 2 * 2);
      for (size_t children = 0; children <= vocabulary; ++children) {
        EXPECT_LT(Error(ExactOutcome(target, draft, children), target), 1e-12)
            << vocabulary << " tokens, " << children << " children, laws "
            << salt;
      }
    }
  }
}

TEST(ResidualLaw, AcceptsAsOftenAsKnown) {
  const double expected[] = {3.0 / 5, 11.0 / 14, 9.0 / 10, 1.0, 1.0};
  for (size_t children = 1; children <= 5; ++children) {
    const Outcome outcome = ExactOutcome(kTarget, kDraft, children);
    EXPECT_NEAR(outcome.acceptance(), expected[children - 1], 1e-7);
    EXPECT_LT(Error(outcome, kTarget), 1e-12);
  }
}

TEST(ResidualLaw, OfOneChildAcceptsOneMinusTotalVariation) {
  for (uint32_t salt = 0; salt < 50; ++salt) {
    const Law target = RandomLaw(6, salt), draft = RandomLaw(6, 1000 + salt);
    EXPECT_NEAR(ExactOutcome(target, draft, 1).acceptance(),
                1 - TotalVariation(Normalised(target), Normalised(draft)),
                1e-12);
  }
}

TEST(ResidualLaw, AlwaysAcceptsOneOfAsManyChildrenAsTokens) {
  for (uint32_t salt = 0; salt < 20; ++salt) {
    EXPECT_NEAR(ExactOutcome(RandomLaw(5, salt), RandomLaw(5, 50 + salt), 5)
                    .acceptance(),
                1.0, 1e-12);
  }
}

TEST(ResidualLaw, DoesNotMindLawsThatDoNotSumToOne) {
  Law target = kTarget, draft = kDraft;
  for (float& mass : target) mass *= 3;
  for (float& mass : draft) mass /= 7;

  const Outcome outcome = ExactOutcome(target, draft, 2);

  EXPECT_NEAR(outcome.acceptance(), 11.0 / 14, 1e-7);
  EXPECT_LT(Error(outcome, kTarget), 1e-7);
}

// Two rounds of a text: a tree of depth 2, then a new root. The context is the
// token before.
TEST(ResidualLaw, GivesTheJointLawOfTwoTokensOfATreeOfDepthTwo) {
  constexpr size_t kVocabulary = 4;
  ResidualLaw residual = NewResidual(kVocabulary);
  for (const auto& [at_root, below] :
       {std::pair{1, 1}, {2, 1}, {2, 3}, {3, 2}, {4, 4}, {2, 0}}) {
    const Law target = RandomLaw(kVocabulary, 7), draft = RandomLaw(4, 8, 3);
    const Outcome first = ExactOutcome(target, draft, at_root, &residual);
    for (uint32_t x = 0; x < kVocabulary; ++x) {
      const Law next = RandomLaw(kVocabulary, 20 + x, 3);
      const Law next_draft = RandomLaw(kVocabulary, 30 + x);
      const auto in_tree =
          ExactOutcome(next, next_draft, below, &residual).law();
      const auto next_round =
          ExactOutcome(next, next_draft, at_root, &residual).law();
      for (size_t y = 0; y < kVocabulary; ++y) {
        EXPECT_NEAR(
            first.accepted[x] * in_tree[y] + first.corrected[x] * next_round[y],
            Normalised(target)[x] * Normalised(next)[y], 1e-12);
      }
    }
  }
}

TEST(ResidualLaw, AcceptsBelowTheProbabilityAndNotAtIt) {
  ResidualLaw residual = NewResidual(5);
  for (const Token token : {2, 4}) {  // each is accepted in part
    ASSERT_TRUE(residual.Begin(kTarget, kDraft).ok());
    const double accepts = residual.AcceptProbability(token);
    EXPECT_GT(accepts, 0.1);
    EXPECT_LT(accepts, 0.9);
    EXPECT_TRUE(residual.Accepts(token, accepts - 1e-12));
    EXPECT_FALSE(residual.Accepts(token, accepts + 1e-12));
  }
}

TEST(ResidualLaw, NeverAcceptsWhatHasNoMassNorDrawsIt) {
  ResidualLaw residual = NewResidual(3);
  ASSERT_TRUE(residual.Begin(Law{0, 1, 0}, Law{1, 0, 0}).ok());

  EXPECT_FALSE(residual.Accepts(0, 0.0));
  EXPECT_TRUE(residual.Refuse(0));
  EXPECT_EQ(residual.Draw(0.0), 1);
  EXPECT_EQ(residual.Draw(1 - 0x1p-53), 1);
}

TEST(ResidualLaw, AlwaysAcceptsADraftThatIsTheTarget) {
  ResidualLaw residual = NewResidual(300);
  for (uint32_t salt = 0; salt < 20; ++salt) {
    const Law law = RandomLaw(300, salt);
    ASSERT_TRUE(residual.Begin(law, law).ok());
    for (Token token = 0; token < 300; ++token)
      EXPECT_TRUE(residual.Accepts(token, 1 - 0x1p-53));
  }
}

TEST(ResidualLaw, FallsBackToTheTargetWhenNothingIsLeft) {
  ResidualLaw residual = NewResidual(3);
  const Law law = {.5f, .25f, .25f};
  ASSERT_TRUE(residual.Begin(law, law).ok());

  EXPECT_FALSE(residual.Refuse(1));  // cannot happen but by rounding

  for (Token token = 0; token < 3; ++token)
    EXPECT_EQ(residual.Probability(token), law[token]);
  EXPECT_EQ(residual.Draw(0.6), 1);
}

// The rest of the draft's law is far below what a difference of sums can tell.
TEST(ResidualLaw, IsExactBehindADraftThatIsAllButCertain) {
  const Law target = {.2f, .2f, .3f, .3f};
  const Law draft = {1.0f, 1e-22f, 2e-22f, 5e-22f};

  EXPECT_LT(Error(ExactOutcome(target, draft, 3), target), 1e-12);
}

TEST(ResidualLaw, DrawsInProportion) {
  ResidualLaw residual = NewResidual(5);
  ASSERT_TRUE(residual.Begin(kTarget, {}).ok());
  std::vector<double> share(5, 0.0);
  for (int i = 0; i < 10000; ++i)
    share[residual.Draw((i + 0.5) / 10000)] += 1e-4;

  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(share[i], kTarget[i], 2e-4);
}

TEST(ResidualLaw, RefusesWhatIsNoLaw) {
  ResidualLaw residual = NewResidual(2);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();

  EXPECT_FALSE(residual.Begin(Law{1, 0, 0}, {}).ok());
  EXPECT_FALSE(residual.Begin(Law{0, 0}, {}).ok());
  EXPECT_FALSE(residual.Begin(Law{nan, 1}, {}).ok());
  EXPECT_FALSE(residual.Begin(Law{infinity, 1}, {}).ok());
  EXPECT_FALSE(residual.Begin(Law{-1, 2}, {}).ok());
}

TEST(ResidualLaw, KeepsWithinTheBudget) {
  Memory memory(ResidualLaw::PlanBytes(1000) - 1);

  EXPECT_TRUE(
      absl::IsResourceExhausted(ResidualLaw::Create(1000, memory).status()));
  EXPECT_TRUE(ResidualLaw::Create(900, memory).ok());
}

}  // namespace
}  // namespace specinfer
