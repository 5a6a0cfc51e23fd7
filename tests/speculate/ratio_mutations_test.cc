// The enumeration has teeth: every known way to get the ratio test wrong
// changes the law, by an amount that is known.
#include "gtest/gtest.h"

#include "tests/speculate/exact_law.h"

namespace specinfer {
namespace {

enum class Order { kDrawn, kDescendingDraft, kToken };
enum class Proposals {
  kWithoutReplacement,
  kWithReplacement,  // SpecInfer
  kTopK,
  kPruned,  // draws of draft probability below 0.15 are dropped
};

struct Rule {
  Proposals proposals = Proposals::kWithoutReplacement;
  Order order = Order::kDrawn;
  bool zeroes_draft = true;
  bool renormalises_draft = true;
};

void SortChildren(const std::vector<double>& draft, Order order,
                  Children* children) {
  if (order == Order::kToken) std::sort(children->begin(), children->end());
  if (order == Order::kDescendingDraft) {
    std::sort(children->begin(), children->end(), [&](Token a, Token b) {
      return draft[static_cast<size_t>(a)] > draft[static_cast<size_t>(b)];
    });
  }
}

// The algorithm as published, one line a step, with its mistakes to choose.
void Verify(const std::vector<double>& target, std::vector<double> draft,
            const Rule& rule, Children children, double reached,
            Outcome* outcome) {
  std::vector<double> residual = target;
  SortChildren(draft, rule.order, &children);
  for (const Token child : children) {
    const size_t s = static_cast<size_t>(child);
    const double accepts = draft[s] > 0.0
                               ? std::min(1.0, residual[s] / draft[s])
                               : (residual[s] > 0.0 ? 1.0 : 0.0);
    outcome->accepted[s] += reached * accepts;
    reached *= 1.0 - accepts;
    if (reached < 1e-15) return;
    double sum = 0.0;
    for (size_t i = 0; i < residual.size(); ++i) {
      residual[i] = std::max(residual[i] - draft[i], 0.0);
      sum += residual[i];
    }
    if (sum <= 0.0) {
      residual = target;
      break;
    }
    for (double& mass : residual) mass /= sum;
    if (rule.zeroes_draft) draft[s] = 0.0;
    const double left = std::accumulate(draft.begin(), draft.end(), 0.0);
    if (rule.renormalises_draft && left > 0.0)
      for (double& mass : draft) mass /= left;
  }
  for (size_t i = 0; i < residual.size(); ++i)
    outcome->corrected[i] += reached * residual[i];
}

Outcome OutcomeOf(const Rule& rule, size_t num_children) {
  const std::vector<double> target = Normalised(kTarget);
  const std::vector<double> draft = Normalised(kDraft);
  Outcome outcome(target.size());
  if (rule.proposals == Proposals::kTopK) {
    Children children = {0, 1, 2, 3, 4};
    SortChildren(draft, Order::kDescendingDraft, &children);
    children.resize(num_children);
    Verify(target, draft, rule, children, 1.0, &outcome);
    return outcome;
  }
  ForEachDraw(draft, num_children,
              rule.proposals == Proposals::kWithReplacement,
              [&](Children children, double probability) {
                if (rule.proposals == Proposals::kPruned) {
                  std::erase_if(children, [&](Token token) {
                    return kDraft[static_cast<size_t>(token)] < .15f;
                  });
                }
                Verify(target, draft, rule, children, probability, &outcome);
              });
  return outcome;
}

double Bias(const Rule& rule, size_t num_children) {
  return TotalVariation(OutcomeOf(rule, num_children).law(),
                        Normalised(kTarget));
}

TEST(RatioTest, AsPublishedIsWhatResidualLawDoes) {
  Memory memory(/*budget_bytes=*/0);
  ResidualLaw residual = *ResidualLaw::Create(5, memory);
  for (size_t children = 1; children <= 5; ++children) {
    const Outcome plain = OutcomeOf({}, children);
    const Outcome ours = ExactOutcome(kTarget, kDraft, children, &residual);
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_NEAR(plain.accepted[i], ours.accepted[i], 1e-12);
      EXPECT_NEAR(plain.corrected[i], ours.corrected[i], 1e-12);
    }
  }
}

struct Mutation {
  const char* name;
  Rule rule;
  double bias[3];  // for 2, 3 and 4 children
};

class RatioTestMutation : public testing::TestWithParam<Mutation> {};

TEST_P(RatioTestMutation, ChangesTheLawAsMuchAsKnown) {
  for (size_t children = 2; children <= 4; ++children) {
    EXPECT_NEAR(Bias(GetParam().rule, children), GetParam().bias[children - 2],
                5e-4)
        << children << " children";
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, RatioTestMutation,
    testing::Values(
        Mutation{"ChildrenInDescendingDraft",
                 {.order = Order::kDescendingDraft},
                 {.154, .249, .340}},
        Mutation{
            "ChildrenByToken", {.order = Order::kToken}, {.124, .336, .451}},
        Mutation{"DraftNotZeroed", {.zeroes_draft = false}, {.023, .095, .095}},
        Mutation{"DraftNotRenormalised",
                 {.renormalises_draft = false},
                 {.023, .095, .095}},
        Mutation{
            "TopChildren", {.proposals = Proposals::kTopK}, {.35, .35, .50}},
        Mutation{"PrunedChildren",
                 {.proposals = Proposals::kPruned},
                 {.119, .134, .141}}),
    [](const auto& tested) { return std::string(tested.param.name); });

// Draws with replacement from a law that is never updated (SpecInfer): exact
// too, and accepts less.
TEST(RatioTest, WithReplacementIsExactAndAcceptsLess) {
  const Rule rule = {.proposals = Proposals::kWithReplacement,
                     .zeroes_draft = false};
  const double expected[] = {.6, .72, .802, .8317};
  for (size_t children = 1; children <= 4; ++children) {
    EXPECT_NEAR(OutcomeOf(rule, children).acceptance(), expected[children - 1],
                5e-4);
    EXPECT_LT(Bias(rule, children), 1e-12);
  }
}

// Matching accepts what the likeliest children cover.
TEST(RatioTest, AcceptsMoreThanMatchingTheLikeliestChildren) {
  const double expected[] = {.20, .30, .55, .85};
  Children children = {0, 1, 2, 3, 4};
  SortChildren(Normalised(kDraft), Order::kDescendingDraft, &children);
  double covered = 0.0;
  for (size_t k = 1; k <= 4; ++k) {
    covered += kTarget[static_cast<size_t>(children[k - 1])];
    EXPECT_NEAR(covered, expected[k - 1], 1e-6);
    EXPECT_GT(OutcomeOf({}, k).acceptance(), covered);
  }
}

}  // namespace
}  // namespace specinfer
