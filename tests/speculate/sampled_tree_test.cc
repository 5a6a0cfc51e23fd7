#include "src/speculate/sampled_tree.h"

#include <limits>
#include <map>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/speculate/draw_key.h"
#include "tests/speculate/exact_law.h"
#include "tests/speculate/goodness_of_fit.h"

namespace specinfer {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

std::unique_ptr<SampledTree> NewTree(const SampledTree::Limits& limits) {
  static Memory memory(/*budget_bytes=*/0);
  return *SampledTree::Create(limits, memory);
}

Children ChildrenOf(const TokenTree& tree, int32_t node) {
  Children children;
  for (int32_t child = tree.first_child(node); child >= 0;
       child = tree.next_sibling(child))
    children.push_back(tree.token(child));
  return children;
}

// The law of ordered draws.
void ExpectTheLawOfDraws(const Law& law, size_t num_children) {
  std::map<Children, size_t> cells;
  std::vector<double> expected;
  ForEachDraw(Normalised(law), num_children, /*has_replacement=*/false,
              [&](const Children& children, double probability) {
                cells[children] = expected.size();
                expected.push_back(probability);
              });
  const auto tree =
      NewTree({.max_nodes = 8,
               .max_expanded = 2,
               .max_children = 3,
               .vocabulary_size = static_cast<int32_t>(law.size())});
  std::vector<int64_t> counts(expected.size());
  constexpr int kNumDraws = 200000;
  for (int i = 0; i < kNumDraws; ++i) {
    tree->Reset(0, {.seed = 5, .stream = 1, .position = i});
    ASSERT_TRUE(tree->Expand(0, law, static_cast<int32_t>(num_children)).ok());
    const Children children = ChildrenOf(tree->tree(), 0);
    ASSERT_EQ(cells.count(children), 1u);
    ++counts[cells[children]];
  }
  EXPECT_LT(Deviation(counts, expected, /*is_likelihood_ratio=*/true),
            kFiveSigma);
  EXPECT_LT(DeviationOfTheLawItself(expected, kNumDraws,
                                    /*is_likelihood_ratio=*/true),
            kFiveSigma);
}

TEST(SampledTree, DrawsInOrderWithoutReplacement) {
  for (size_t num_children = 1; num_children <= 3; ++num_children) {
    ExpectTheLawOfDraws(kDraft, num_children);
    ExpectTheLawOfDraws({.5f, .5f}, num_children);
    ExpectTheLawOfDraws({.9f, .0f, .09f, .01f}, num_children);
    ExpectTheLawOfDraws({.001f, 8.0f, .3f}, num_children);  // sums to no 1
  }
}

// The quick way out of the race, and a law that spans many quads.
TEST(SampledTree, DrawsWhatTheRaceInDoublePrecisionDraws) {
  constexpr int32_t kVocabulary = 1003;
  const auto tree = NewTree({.max_nodes = 40,
                             .max_expanded = 3,
                             .max_children = 16,
                             .vocabulary_size = kVocabulary});
  for (int64_t position = 0; position < 50; ++position) {
    const Law law = RandomLaw(kVocabulary, static_cast<uint32_t>(position), 4);
    const NoiseKey key = {.seed = 9, .stream = 3, .position = position};
    tree->Reset(0, key);
    ASSERT_EQ(*tree->Expand(0, law, 2), 2);
    ASSERT_EQ(*tree->Expand(1, law, 16), 16);

    std::vector<std::pair<double, Token>> race;
    for (Token token = 0; token < kVocabulary; ++token) {
      const uint32_t index = 1u << 19 | static_cast<uint32_t>(token) / 4;
      const double w =
          (DrawBits(key, DrawPurpose::kDraft, index)[token % 4] + 0.5) *
          0x1p-32;
      if (law[token] > 0) race.push_back({-std::log1p(-w) / law[token], token});
    }
    std::sort(race.begin(), race.end());
    Children expected;
    for (size_t i = 0; i < 16; ++i) expected.push_back(race[i].second);
    EXPECT_EQ(ChildrenOf(tree->tree(), 1), expected);
  }
}

TEST(SampledTree, KeepsTheLawOfEveryExpandedNode) {
  const auto tree = NewTree({.max_nodes = 8,
                             .max_expanded = 2,
                             .max_children = 2,
                             .vocabulary_size = 5});
  tree->Reset(3, {});
  EXPECT_EQ(*tree->Expand(0, kDraft, 2), 2);
  EXPECT_EQ(*tree->Expand(2, kTarget, 1), 1);

  EXPECT_THAT(tree->law(0), ElementsAreArray(kDraft));
  EXPECT_THAT(tree->law(2), ElementsAreArray(kTarget));
  EXPECT_TRUE(tree->law(1).empty());
  EXPECT_THAT(tree->tree().depths(), ElementsAre(0, 1, 1, 2));
  EXPECT_EQ(tree->tree().parent(3), 2);
  EXPECT_FLOAT_EQ(tree->tree().score(1), kDraft[tree->tree().token(1)]);
  EXPECT_EQ(tree->PathBits().size(), 4u);
}

TEST(SampledTree, DrawsNothingThatTheDraftHasNoMassFor) {
  const auto tree = NewTree({.max_nodes = 8,
                             .max_expanded = 2,
                             .max_children = 4,
                             .vocabulary_size = 4});
  tree->Reset(0, {});

  EXPECT_EQ(*tree->Expand(0, Law{0, .5f, 0, .5f}, 4), 2);

  Children children = ChildrenOf(tree->tree(), 0);
  std::sort(children.begin(), children.end());
  EXPECT_THAT(children, ElementsAre(1, 3));
}

TEST(SampledTree, StopsAtItsLimits) {
  const auto tree = NewTree({.max_nodes = 4,
                             .max_expanded = 2,
                             .max_children = 2,
                             .vocabulary_size = 5});
  tree->Reset(0, {});

  EXPECT_EQ(*tree->Expand(0, kDraft, 5), 2);
  EXPECT_EQ(*tree->Expand(1, kDraft, 5), 1);  // one node is left
  EXPECT_EQ(*tree->Expand(2, kDraft, 5), 0);
  EXPECT_TRUE(tree->tree().is_full());
}

TEST(SampledTree, RefusesWhatIsNoLawAndNoNode) {
  const auto tree = NewTree({.max_nodes = 9,
                             .max_expanded = 1,
                             .max_children = 2,
                             .vocabulary_size = 2});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  tree->Reset(0, {});

  EXPECT_FALSE(tree->Expand(0, Law{1}, 1).ok());
  EXPECT_FALSE(tree->Expand(0, Law{0, 0}, 1).ok());
  EXPECT_FALSE(tree->Expand(0, Law{nan, 1}, 1).ok());
  EXPECT_FALSE(tree->Expand(0, Law{1, infinity}, 1).ok());
  EXPECT_FALSE(tree->Expand(0, Law{1, -1}, 1).ok());
  EXPECT_FALSE(tree->Expand(7, Law{1, 1}, 1).ok());
  EXPECT_FALSE(tree->Expand(-1, Law{1, 1}, 1).ok());

  EXPECT_EQ(tree->tree().size(), 1);
  EXPECT_TRUE(tree->law(0).empty());
  EXPECT_TRUE(tree->Expand(0, Law{1, 1}, 1).ok());  // its row was not taken
}

TEST(SampledTree, RefusesASecondDrawAtANode) {
  const auto tree = NewTree({.max_nodes = 9,
                             .max_expanded = 4,
                             .max_children = 4,
                             .vocabulary_size = 5});
  tree->Reset(0, {});
  ASSERT_TRUE(tree->Expand(0, kDraft, 1).ok());

  EXPECT_TRUE(absl::IsFailedPrecondition(tree->Expand(0, kDraft, 1).status()));

  EXPECT_EQ(tree->tree().size(), 2);
}

TEST(SampledTree, RefusesMoreLawsThanItKeeps) {
  const auto tree = NewTree({.max_nodes = 9,
                             .max_expanded = 1,
                             .max_children = 4,
                             .vocabulary_size = 5});
  tree->Reset(0, {});
  ASSERT_TRUE(tree->Expand(0, kDraft, 1).ok());

  EXPECT_TRUE(absl::IsFailedPrecondition(tree->Expand(1, kDraft, 1).status()));

  EXPECT_EQ(tree->tree().size(), 2);
  tree->Reset(0, {});
  EXPECT_TRUE(tree->Expand(0, kDraft, 1).ok());
}

TEST(SampledTree, TakesItsMemoryFromTheBudgetOnce) {
  const SampledTree::Limits limits = {.max_nodes = 64,
                                      .max_expanded = 16,
                                      .max_children = 8,
                                      .vocabulary_size = 1000};
  Memory memory(SampledTree::PlanBytes(limits));
  const auto tree = SampledTree::Create(limits, memory);
  ASSERT_TRUE(tree.ok());

  EXPECT_EQ(memory.used_bytes(), SampledTree::PlanBytes(limits));
  EXPECT_TRUE(
      absl::IsResourceExhausted(SampledTree::Create(limits, memory).status()));
}

TEST(SampledTree, RefusesLimitsItsNumbersCannotCount) {
  Memory memory(/*budget_bytes=*/0);
  SampledTree::Limits limits = {
      .max_nodes = 2000, .max_expanded = 1025, .vocabulary_size = 2};
  EXPECT_FALSE(SampledTree::Create(limits, memory).ok());
  limits = {
      .max_nodes = 2, .max_expanded = 1, .vocabulary_size = (1 << 21) + 1};
  EXPECT_FALSE(SampledTree::Create(limits, memory).ok());
}

// Every purpose, row and token of the largest tree and vocabulary, and the
// noise that targets are drawn with: no index comes twice.
TEST(DrawKey, SharesNoNumberBetweenDecisions) {
  std::set<std::array<uint32_t, 4>> seen;
  const NoiseKey key = {.seed = 1, .stream = 2, .position = 3};
  int num_asked = 0;
  for (const uint32_t index :
       {0u, 1u, 1u << 19, kMaxDrawIndex - 1, kMaxDrawIndex}) {
    seen.insert(NoiseBits(key, index));
    ++num_asked;
    for (const DrawPurpose purpose :
         {DrawPurpose::kTarget, DrawPurpose::kDraft, DrawPurpose::kAccept}) {
      seen.insert(DrawBits(key, purpose, index));
      ++num_asked;
    }
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(num_asked));
  EXPECT_LE(1023u << 19 | ((4u << 19) - 1) / 4, kMaxDrawIndex);
}

TEST(DrawKey, DrawsUniformly) {
  std::vector<int64_t> counts(64);
  for (int64_t position = 0; position < 200000; ++position) {
    const double uniform =
        UniformDraw({.seed = 4, .position = position}, DrawPurpose::kAccept, 0);
    ASSERT_GE(uniform, 0.0);
    ASSERT_LT(uniform, 1.0);
    ++counts[static_cast<size_t>(uniform * 64)];
  }
  EXPECT_LT(Deviation(counts, std::vector<double>(64, 1.0 / 64)), kFiveSigma);
}

}  // namespace
}  // namespace specinfer
