#include "src/speculate/tree_grower.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace specinfer {
namespace {

using testing::ElementsAre;

constexpr TreeBudget kWide = {.max_nodes = 64, .max_depth = 8};

TokenTree RootOnly(int32_t max_nodes = 64) {
  TokenTree tree(max_nodes);
  tree.Reset(1);
  return tree;
}

TEST(TreeGrower, AddsTheBestFirst) {
  TokenTree tree = RootOnly();
  TreeGrower grower(8);
  grower.Offer(0, 5, 0.2f, 1);
  grower.Offer(0, 6, 0.5f, 2);
  grower.Offer(0, 7, 0.3f, 3);

  EXPECT_EQ(grower.Grow(kWide, &tree, 2), 2);

  EXPECT_THAT(tree.tokens(), ElementsAre(1, 6, 7));
  EXPECT_EQ(tree.score(1), 0.5f);
  EXPECT_EQ(tree.source(2), 3);
  EXPECT_EQ(grower.num_candidates(), 1);
}

TEST(TreeGrower, LetsBetterOffersOvertakeThoseThatWait) {
  TokenTree tree = RootOnly();
  TreeGrower grower(8);
  grower.Offer(0, 5, 0.6f, 0);
  grower.Offer(0, 6, 0.2f, 0);
  ASSERT_EQ(grower.Grow(kWide, &tree, 1), 1);
  grower.Offer(1, 7, 0.4f, 0);

  EXPECT_EQ(grower.Grow(kWide, &tree, 64), 2);

  EXPECT_THAT(tree.tokens(), ElementsAre(1, 5, 7, 6));
}

TEST(TreeGrower, PrefersTheShallowerOfEqualScores) {
  TokenTree tree = RootOnly();
  TreeGrower grower(8);
  const int32_t below = tree.AddNode(0, 5, 0.9f);
  grower.Offer(below, 6, 0.25f, 0);
  grower.Offer(0, 7, 0.25f, 0);

  grower.Grow(kWide, &tree, 64);

  EXPECT_THAT(tree.tokens(), ElementsAre(1, 5, 7, 6));
}

TEST(TreeGrower, PrefersTheEarlierOfferOfEqualScoreAndDepth) {
  TokenTree tree = RootOnly();
  TreeGrower grower(8);
  grower.Offer(0, 9, 0.25f, 0);
  grower.Offer(0, 3, 0.25f, 0);
  grower.Offer(0, 6, 0.25f, 0);

  grower.Grow(kWide, &tree, 64);

  EXPECT_THAT(tree.tokens(), ElementsAre(1, 9, 3, 6));
}

TEST(TreeGrower, DropsTheWorstWhenFull) {
  TokenTree tree = RootOnly();
  TreeGrower grower(2);
  grower.Offer(0, 5, 0.3f, 0);
  grower.Offer(0, 6, 0.1f, 0);
  grower.Offer(0, 7, 0.2f, 0);
  grower.Offer(0, 8, 0.2f, 0);

  EXPECT_EQ(grower.num_candidates(), 2);
  grower.Grow(kWide, &tree, 64);
  EXPECT_THAT(tree.tokens(), ElementsAre(1, 5, 7));
}

TEST(TreeGrower, StopsWhereANodeCostsMoreThanItBrings) {
  // A row costs 0.1 s up to three rows and 0.5 s from there; at one token a
  // second these are the scores needed.
  const std::vector<double> pass_seconds = {0.0, 1.0, 1.1, 1.2, 1.7, 2.2};
  TreeBudget budget = {.max_nodes = 5,
                       .max_depth = 8,
                       .tokens_per_second = 1.0,
                       .pass_seconds = pass_seconds};
  TokenTree tree = RootOnly();
  TreeGrower grower(8);
  for (Token token = 5; token < 8; ++token) grower.Offer(0, token, 0.3f, 0);

  EXPECT_EQ(grower.Grow(budget, &tree, 64), 2);
  EXPECT_EQ(grower.num_candidates(), 1);

  grower.Offer(1, 9, 0.6f, 0);
  EXPECT_EQ(grower.Grow(budget, &tree, 64), 1);
  EXPECT_THAT(tree.tokens(), ElementsAre(1, 5, 6, 9));
}

TEST(TreeGrower, KeepsToTheBudgetsNodes) {
  TokenTree tree = RootOnly();
  TreeGrower grower(8);
  for (Token token = 5; token < 10; ++token) grower.Offer(0, token, 0.2f, 0);

  EXPECT_EQ(grower.Grow({.max_nodes = 3, .max_depth = 1}, &tree, 64), 2);
}

TEST(TreeGrower, StopsWhenTheTreeIsFull) {
  TokenTree tree = RootOnly(/*max_nodes=*/2);
  TreeGrower grower(8);
  for (Token token = 5; token < 10; ++token) grower.Offer(0, token, 0.2f, 0);

  EXPECT_EQ(grower.Grow(kWide, &tree, 64), 1);
  EXPECT_EQ(tree.size(), 2);
}

TEST(TreeGrower, TakesOffWhatIsTooDeep) {
  TokenTree tree = RootOnly();
  TreeGrower grower(8);
  const int32_t below = tree.AddNode(0, 5, 0.9f);
  grower.Offer(below, 6, 0.8f, 0);
  grower.Offer(0, 7, 0.1f, 0);

  EXPECT_EQ(grower.Grow({.max_nodes = 64, .max_depth = 1}, &tree, 64), 1);
  EXPECT_THAT(tree.tokens(), ElementsAre(1, 5, 7));
  EXPECT_EQ(grower.num_candidates(), 0);
}

TEST(TreeGrower, KeepsToTheBudgetsChildrenWhoeverAddedThem) {
  TokenTree tree = RootOnly();
  TreeGrower grower(8);
  tree.AddNode(0, 4, 0.1f);
  grower.Offer(0, 5, 0.3f, 0);
  grower.Offer(0, 6, 0.2f, 0);

  EXPECT_EQ(grower.Grow({.max_nodes = 64, .max_depth = 1, .max_children = 2},
                        &tree, 64),
            1);
  EXPECT_THAT(tree.tokens(), ElementsAre(1, 4, 5));
}

TEST(TreeGrower, CountsAKnownChildAsNothingAndRaisesItsScore) {
  TokenTree tree = RootOnly();
  TreeGrower grower(8);
  tree.AddNode(0, 5, 0.1f);
  grower.Offer(0, 6, 0.4f, 0);
  grower.Offer(0, 5, 0.3f, 0);

  EXPECT_EQ(grower.Grow({.max_nodes = 4, .max_depth = 1, .max_children = 2},
                        &tree, 2),
            1);
  EXPECT_THAT(tree.tokens(), ElementsAre(1, 5, 6));
  EXPECT_EQ(tree.score(1), 0.3f);
}

TEST(TreeGrower, IgnoresScoresThatSayNothing) {
  TreeGrower grower(8);

  grower.Offer(0, 5, 0.0f, 0);
  grower.Offer(0, 6, -1.0f, 0);
  grower.Offer(0, 7, std::numeric_limits<float>::quiet_NaN(), 0);

  EXPECT_EQ(grower.num_candidates(), 0);
}

TEST(TreeGrower, ForgetsCandidatesWhenARoundBegins) {
  TokenTree tree = RootOnly();
  TreeGrower grower(8);
  grower.Offer(0, 5, 0.5f, 0);

  grower.Begin();

  EXPECT_EQ(grower.Grow(kWide, &tree, 64), 0);
}

// A draft over four tokens whose law differs from prefix to prefix.
constexpr Token kNumTokens = 4;
constexpr int32_t kToyDepth = 5;

std::vector<float> ToyLaw(const std::vector<Token>& prefix) {
  uint32_t key = 17;
  for (const Token token : prefix) {
    key = key * 2654435761u + static_cast<uint32_t>(token) + 1;
  }
  std::vector<float> law;
  float sum = 0.0f;
  for (Token token = 0; token < kNumTokens; ++token) {
    key = key * 1664525u + 1013904223u;
    law.push_back(std::exp(3.0f * static_cast<float>(key >> 8) / 16777216.0f));
    sum += law.back();
  }
  for (float& probability : law) probability /= sum;
  return law;
}

// All prefixes of up to kToyDepth tokens and their probabilities.
std::map<std::vector<Token>, float> AllPrefixes() {
  std::map<std::vector<Token>, float> all;
  std::vector<std::vector<Token>> level = {{}};
  for (int32_t depth = 0; depth < kToyDepth; ++depth) {
    std::vector<std::vector<Token>> next;
    for (const std::vector<Token>& prefix : level) {
      const std::vector<float> law = ToyLaw(prefix);
      const float above = prefix.empty() ? 1.0f : all.at(prefix);
      for (Token token = 0; token < kNumTokens; ++token) {
        next.push_back(prefix);
        next.back().push_back(token);
        all[next.back()] = above * law[static_cast<size_t>(token)];
      }
    }
    level = next;
  }
  return all;
}

// Drafts as a model would: `width` unexpanded nodes a pass, the best first,
// until the grower finds nothing better.
TokenTree DraftToy(int32_t num_nodes, int32_t width) {
  TokenTree tree(num_nodes);
  tree.Reset(0);
  TreeGrower grower(num_nodes);
  const TreeBudget budget = {.max_nodes = num_nodes,
                             .max_depth = kToyDepth,
                             .max_children = kNumTokens};
  int32_t num_new = 1;
  while (num_new > 0) {
    for (int32_t node = tree.size() - num_new; node < tree.size(); ++node) {
      std::vector<Token> prefix;
      tree.GetPath(node, &prefix);
      if (prefix.size() == kToyDepth) continue;
      const std::vector<float> law = ToyLaw(prefix);
      for (Token token = 0; token < kNumTokens; ++token) {
        grower.Offer(node, token,
                     tree.score(node) * law[static_cast<size_t>(token)], 0);
      }
    }
    num_new = grower.Grow(budget, &tree, width);
  }
  return tree;
}

class TreeGrowerOnAToyDraft : public testing::TestWithParam<int32_t> {};

TEST_P(TreeGrowerOnAToyDraft, KeepsTheMostProbablePrefixes) {
  const int32_t num_nodes = GetParam() + 1;
  const std::map<std::vector<Token>, float> all = AllPrefixes();
  std::vector<float> best;
  for (const auto& [prefix, probability] : all) best.push_back(probability);
  std::sort(best.rbegin(), best.rend());
  best.resize(std::min(best.size(), static_cast<size_t>(GetParam())));

  const TokenTree tree = DraftToy(num_nodes, /*width=*/1);

  std::vector<float> kept;
  for (int32_t node = 1; node < tree.size(); ++node) {
    std::vector<Token> prefix;
    tree.GetPath(node, &prefix);
    EXPECT_EQ(tree.score(node), all.at(prefix));
    EXPECT_LE(tree.score(node), tree.score(tree.parent(node)));
    kept.push_back(tree.score(node));
  }
  EXPECT_THAT(kept, testing::ElementsAreArray(best));
}

// With more nodes expanded a pass some are added before better ones are known.
TEST_P(TreeGrowerOnAToyDraft, LosesLittleByExpandingSeveralNodesAPass) {
  const int32_t num_nodes = GetParam() + 1;
  const auto yield = [](const TokenTree& tree) {
    float sum = 0.0f;
    for (int32_t node = 0; node < tree.size(); ++node) sum += tree.score(node);
    return sum;
  };
  const TokenTree best = DraftToy(num_nodes, /*width=*/1);

  const TokenTree tree = DraftToy(num_nodes, /*width=*/4);

  EXPECT_EQ(tree.size(), best.size());
  EXPECT_GE(yield(tree), 0.9f * yield(best));
  EXPECT_LE(yield(tree), 1.00001f * yield(best));
}

INSTANTIATE_TEST_SUITE_P(Nodes, TreeGrowerOnAToyDraft,
                         testing::Values(1, 2, 7, 20, 64, 300, 1364, 2000));

}  // namespace
}  // namespace specinfer
