#include "src/speculate/positional_tree.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/speculate/isotonic.h"

namespace specinfer {
namespace {

using Rows = std::vector<std::vector<double>>;  // [level - 1][order]

constexpr double kNever = -std::numeric_limits<double>::infinity();

// Llama 3 70B with its 8B on CNN, out of the paper's appendix, in falling
// order.
const std::vector<double> kPaper = {.7732, .1039, .0402, .0206, .0128, .0081,
                                    .0064, .0043, .0035, .0026, .0025, .0021};
const std::vector<double> kPaperFirst8(kPaper.begin(), kPaper.begin() + 8);

double At(const Rows& rows, int32_t depth, int32_t order) {
  const size_t row = std::min(static_cast<size_t>(depth), rows.size()) - 1;
  const size_t child = static_cast<size_t>(order);
  return child < rows[row].size() ? rows[row][child] : 0.0;
}

PositionalTree Best(const Rows& rows, int32_t max_nodes, int32_t max_depth,
                    int32_t max_children = 64) {
  PositionalTree tree(max_nodes);
  tree.Build(
      [&rows](int32_t depth, int32_t order) { return At(rows, depth, order); },
      {.max_nodes = max_nodes,
       .max_depth = max_depth,
       .max_children = max_children});
  return tree;
}

// The paper's dynamic program: [n][d] the most expected tokens of exactly n
// nodes, of at most d levels, the root's included.
std::vector<std::vector<double>> DynamicProgram(const Rows& rows, int max_nodes,
                                                int max_levels,
                                                int max_children) {
  std::vector best(max_nodes + 1, std::vector<double>(max_levels + 1, kNever));
  // with[n][d][b]: with exactly b children of the root.
  std::vector with(max_nodes + 1,
                   std::vector(max_levels + 1,
                               std::vector<double>(max_children + 1, kNever)));
  for (int d = 1; d <= max_levels; ++d) best[1][d] = with[1][d][0] = 1.0;
  for (int n = 2; n <= max_nodes; ++n) {
    for (int d = 2; d <= max_levels; ++d) {
      for (int b = 1; b <= max_children; ++b) {
        const double acceptance = At(rows, max_levels - d + 1, b - 1);
        for (int m = 1; m < n; ++m) {
          with[n][d][b] =
              std::max(with[n][d][b],
                       with[n - m][d][b - 1] + acceptance * best[m][d - 1]);
        }
        best[n][d] = std::max(best[n][d], with[n][d][b]);
      }
    }
  }
  return best;
}

struct Golden {
  int32_t max_levels;
  int32_t num_nodes;
  double yield;
};

class PublishedYield : public testing::TestWithParam<Golden> {};

TEST_P(PublishedYield, IsReached) {
  const auto [max_levels, num_nodes, yield] = GetParam();
  const Rows rows = {max_levels == 64 ? kPaper : kPaperFirst8};

  const PositionalTree tree = Best(rows, num_nodes, max_levels - 1);

  EXPECT_NEAR(tree.yield(num_nodes), yield, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(
    Unlimited, PublishedYield,
    testing::Values(Golden{64, 1, 1}, Golden{64, 2, 1.7732},
                    Golden{64, 3, 2.371038}, Golden{64, 4, 2.833287},
                    Golden{64, 5, 3.190697}, Golden{64, 6, 3.467047},
                    Golden{64, 7, 3.680721}, Golden{64, 8, 3.845933},
                    Golden{64, 12, 4.256682}, Golden{64, 16, 4.537617},
                    Golden{64, 24, 4.936748}, Golden{64, 32, 5.219890},
                    Golden{64, 48, 5.624765}, Golden{64, 64, 5.916642}));
INSTANTIATE_TEST_SUITE_P(
    OfFewLevels, PublishedYield,
    testing::Values(Golden{3, 4, 2.474938}, Golden{3, 8, 2.706892},
                    Golden{3, 16, 2.833819}, Golden{3, 24, 2.879219},
                    Golden{4, 4, 2.833287}, Golden{4, 8, 3.159973},
                    Golden{4, 16, 3.458668}, Golden{4, 24, 3.571666},
                    Golden{6, 4, 2.833287}, Golden{6, 8, 3.651283},
                    Golden{6, 16, 4.110075}, Golden{6, 24, 4.398115}));

// Acceptance that fades with depth, as of heads.
const Rows kFading = {
    {.8, .1, .05, .02}, {.6, .2, .1, .05}, {.4, .2, .2, .1}, {.3, .15, .1, .1}};

struct Limits {
  const char* name;
  const Rows rows;
  int32_t max_levels;
  int32_t max_children;
};

class PositionalTreeWithin : public testing::TestWithParam<Limits> {};

TEST_P(PositionalTreeWithin, EqualsTheDynamicProgram) {
  const Limits& limits = GetParam();
  const auto program =
      DynamicProgram(limits.rows, 64, limits.max_levels, limits.max_children);

  const PositionalTree tree =
      Best(limits.rows, 64, limits.max_levels - 1, limits.max_children);

  double most = 0.0;
  for (int32_t n = 1; n <= 64; ++n) {
    most = std::max(most, program[n][limits.max_levels]);
    // What does not fit, or would bring nothing, is not in the tree.
    EXPECT_NEAR(tree.yield(std::min(n, tree.tree().size())), most, 1e-9) << n;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Limits, PositionalTreeWithin,
    testing::Values(Limits{"Unlimited", {kPaper}, 64, 12},
                    Limits{"TwoLevels", {kPaperFirst8}, 2, 8},
                    Limits{"ThreeLevels", {kPaperFirst8}, 3, 8},
                    Limits{"FourLevels", {kPaperFirst8}, 4, 8},
                    Limits{"SixLevels", {kPaperFirst8}, 6, 8},
                    Limits{"TwoChildren", {kPaper}, 8, 2},
                    Limits{"AChain", {kPaper}, 12, 1},
                    Limits{"Fading", kFading, 64, 4},
                    Limits{"FadingFiveLevels", kFading, 5, 3},
                    Limits{"OneLevel", {kPaper}, 1, 4},
                    Limits{"Certain", {{1.0}}, 20, 4}),
    [](const auto& param) { return param.param.name; });

// The greatest sum over all ordered trees, one by one: a tree is its nodes'
// depths in preorder.
double ByEnumeration(const Rows& rows, int32_t num_nodes, int32_t max_depth,
                     int32_t max_children) {
  double best = kNever;
  std::vector<double> scores = {1.0};       // of the path to the last node
  std::vector<int32_t> num_children = {0};  // of its nodes so far
  const std::function<void(int32_t, double)> extend = [&](int32_t num_left,
                                                          double sum) {
    if (num_left == 0) {
      best = std::max(best, sum);
      return;
    }
    const std::vector<double> path = scores;
    const std::vector<int32_t> counts = num_children;
    for (size_t depth = 1; depth <= path.size(); ++depth) {
      if (static_cast<int32_t>(depth) > max_depth ||
          counts[depth - 1] == max_children) {
        continue;
      }
      scores.assign(path.begin(), path.begin() + depth);
      num_children.assign(counts.begin(), counts.begin() + depth);
      scores.push_back(scores.back() * At(rows, static_cast<int32_t>(depth),
                                          num_children.back()++));
      num_children.push_back(0);
      extend(num_left - 1, sum + scores.back());
    }
    scores = path;
    num_children = counts;
  };
  extend(num_nodes - 1, 1.0);
  return best;
}

class SmallPositionalTree : public testing::TestWithParam<int32_t> {};

TEST_P(SmallPositionalTree, IsTheBestOfAll) {
  const int32_t num_nodes = GetParam();
  for (const Rows& rows : {Rows{kPaper}, kFading, Rows{{.4, .3, .2, .1}}}) {
    for (int32_t max_depth = 1; max_depth <= 7; ++max_depth) {
      for (int32_t max_children = 1; max_children <= 4; ++max_children) {
        const double best =
            ByEnumeration(rows, num_nodes, max_depth, max_children);

        const PositionalTree tree =
            Best(rows, num_nodes, max_depth, max_children);

        if (best == kNever) {
          EXPECT_LT(tree.tree().size(), num_nodes);
        } else {
          EXPECT_NEAR(tree.yield(num_nodes), best, 1e-12)
              << max_depth << " deep, " << max_children << " children";
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Nodes, SmallPositionalTree, testing::Range(1, 9));

TEST(PositionalTree, IsItsScoresAndHoldsEarlierSiblingsAndParents) {
  const PositionalTree tree = Best(kFading, 40, 3, 3);

  ASSERT_EQ(tree.tree().size(), 40);
  std::vector<int32_t> next_order(40, 0);
  double sum = 1.0;
  for (int32_t node = 1; node < 40; ++node) {
    const int32_t parent = tree.tree().parent(node);
    EXPECT_EQ(tree.tree().order(node), next_order[parent]++);
    EXPECT_EQ(tree.tree().token(node), tree.tree().order(node));
    EXPECT_LE(tree.tree().depth(node), 3);
    EXPECT_DOUBLE_EQ(
        tree.scores()[node],
        tree.scores()[parent] *
            At(kFading, tree.tree().depth(node), tree.tree().order(node)));
    sum += tree.scores()[node];
    EXPECT_DOUBLE_EQ(tree.yield(node + 1), sum);
  }
  EXPECT_LE(*std::max_element(next_order.begin(), next_order.end()), 3);
}

TEST(PositionalTree, BranchesOfTheGoodDraftBeginAtItsTenthNode) {
  const PositionalTree tree = Best({kPaper}, 10, 63);

  EXPECT_EQ(tree.tree().depth(8), 8);
  EXPECT_EQ(tree.tree().depth(9), 1);
}

TEST(PositionalTree, StopsWhereANodeCostsMoreThanItBrings) {
  std::vector<double> pass_seconds;
  for (int32_t n = 0; n <= 64; ++n) pass_seconds.push_back(1.0 + 0.1 * n);
  PositionalTree tree(64);

  tree.Build(
      [](int32_t depth, int32_t order) { return At({kPaper}, depth, order); },
      {.max_nodes = 64,
       .max_depth = 63,
       .tokens_per_second = 2.0,
       .pass_seconds = pass_seconds});

  // .7732^6 is the last power above .2.
  EXPECT_EQ(tree.tree().size(), 7);
}

// Measured vectors are not in order; smoothed ones give up little.
TEST(PositionalTree, LosesLittleBySmoothingInversions) {
  std::mt19937 random(7);
  std::normal_distribution<double> noise(0.0, 0.15);
  double greatest_gap = 0.0;
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<double> measured = {.45, .15, .1, .08, .06, .05, .04, .03};
    for (double& chance : measured) chance *= std::exp(noise(random));
    std::swap(measured[2], measured[4]);
    std::vector<double> smoothed = measured;
    MakeNonIncreasing(absl::MakeSpan(smoothed),
                      std::vector<double>(smoothed.size(), 1.0));
    const auto program = DynamicProgram({measured}, 48, 48, 8);

    const PositionalTree tree = Best({smoothed}, 48, 47);

    std::vector<double> scores = {1.0};
    double yield = 1.0;
    for (int32_t node = 1; node < 48; ++node) {
      scores.push_back(scores[tree.tree().parent(node)] *
                       measured[tree.tree().order(node)]);
      yield += scores.back();
      const double gap = 1.0 - yield / program[node + 1][48];
      EXPECT_GE(gap, -1e-9);
      greatest_gap = std::max(greatest_gap, gap);
    }
  }
  RecordProperty("greatest_gap", std::to_string(greatest_gap));
  EXPECT_GT(greatest_gap, 0.0);  // there were inversions that matter
  EXPECT_LT(greatest_gap, 0.02);
}

struct Prices {
  const char* name;
  double row;         // seconds of each further row; the first takes 1
  double step;        // and of each further 16
  double draft;       // of a draft's pass over one node
  double draft_row;   // and each further
  int32_t max_width;  // of a draft's pass
};

class ChooseTreeAt : public testing::TestWithParam<Prices> {
 protected:
  void SetUp() override {
    const Prices& prices = GetParam();
    pass_seconds_.push_back(0.0);
    for (int32_t n = 1; n <= kMaxNodes; ++n) {
      pass_seconds_.push_back(1.0 + prices.row * (n - 1) +
                              prices.step * ((n - 1) / 16));
    }
    draft_seconds_.push_back(0.0);
    for (int32_t width = 1; width <= prices.max_width; ++width)
      draft_seconds_.push_back(prices.draft + prices.draft_row * (width - 1));
  }

  // Of a round with the first nodes of `tree`, counted level by level.
  double Seconds(const TokenTree& tree, int32_t num_nodes) const {
    double seconds = pass_seconds_[num_nodes];
    for (int32_t depth = 0; depth < kMaxDepth; ++depth) {
      std::vector<int32_t> parents;
      for (int32_t node = 1; node < num_nodes; ++node) {
        if (tree.depth(node) == depth + 1) parents.push_back(tree.parent(node));
      }
      std::sort(parents.begin(), parents.end());
      parents.erase(std::unique(parents.begin(), parents.end()), parents.end());
      int32_t width = static_cast<int32_t>(parents.size());
      for (; width > 0; width -= GetParam().max_width)
        seconds += draft_seconds_[std::min(width, GetParam().max_width)];
    }
    return seconds;
  }

  static constexpr int32_t kMaxNodes = 48;
  static constexpr int32_t kMaxDepth = 10;
  std::vector<double> pass_seconds_;
  std::vector<double> draft_seconds_;
};

TEST_P(ChooseTreeAt, FindsTheFastestOfAllSizesAndDepths) {
  double fastest = 1.0 / pass_seconds_[1];
  for (int32_t depth = 1; depth <= kMaxDepth; ++depth) {
    const PositionalTree all = Best({kPaper}, kMaxNodes, depth, 8);
    for (int32_t n = 2; n <= all.tree().size(); ++n)
      fastest = std::max(fastest, all.yield(n) / Seconds(all.tree(), n));
  }
  PositionalTree tree(kMaxNodes);

  const TreeChoice choice = ChooseTree(
      [](int32_t depth, int32_t order) { return At({kPaper}, depth, order); },
      {.max_nodes = kMaxNodes,
       .max_depth = kMaxDepth,
       .tokens_per_second = 1e9,
       .pass_seconds = pass_seconds_},
      draft_seconds_, &tree);

  EXPECT_NEAR(choice.tokens_per_second(), fastest, 1e-9);
  EXPECT_EQ(tree.tree().size(), choice.num_nodes);
  EXPECT_NEAR(tree.yield(choice.num_nodes), choice.yield, 1e-12);
  EXPECT_NEAR(Seconds(tree.tree(), choice.num_nodes), choice.seconds, 1e-9);
  for (int32_t node = 0; node < tree.tree().size(); ++node)
    EXPECT_LE(tree.tree().depth(node), choice.max_depth);
}

INSTANTIATE_TEST_SUITE_P(
    Prices, ChooseTreeAt,
    testing::Values(Prices{"Typical", .01, 0, .1, .002, 64},
                    Prices{"Steps", .001, .4, .05, .001, 64},
                    Prices{"DearRows", .3, 0, .1, .1, 64},
                    Prices{"DearDraft", .005, 0, .7, .0, 64},
                    Prices{"NarrowDraft", .002, 0, .03, .01, 2},
                    Prices{"FreeDraft", .005, 0, 1e-9, 0, 64}),
    [](const auto& param) { return param.param.name; });

TEST(ChooseTree, IsPlainDecodingWhereNothingPays) {
  const std::vector<double> pass_seconds = {0.0, 1.0, 2.0, 3.0, 4.0};
  const std::vector<double> draft_seconds = {0.0, 0.1};
  PositionalTree tree(8);

  const TreeChoice choice =
      ChooseTree([](int32_t, int32_t) { return 0.9; },
                 {.max_nodes = 4, .max_depth = 3, .pass_seconds = pass_seconds},
                 draft_seconds, &tree);

  EXPECT_EQ(choice.num_nodes, 1);
  EXPECT_EQ(choice.max_depth, 0);
  EXPECT_EQ(choice.seconds, 1.0);
  EXPECT_EQ(tree.tree().size(), 1);
}

TEST(ChooseTree, IsPlainDecodingWhereNoDepthIsAllowed) {
  const std::vector<double> pass_seconds = {0.0, 1.0};
  const std::vector<double> draft_seconds = {0.0, 0.1};
  PositionalTree tree(8);

  const TreeChoice choice =
      ChooseTree([](int32_t, int32_t) { return 0.9; },
                 {.max_nodes = 1, .max_depth = 0, .pass_seconds = pass_seconds},
                 draft_seconds, &tree);

  EXPECT_EQ(choice.num_nodes, 1);
}

TEST(ChooseTree, DraftsDeeperWhereDraftsAreCheaper) {
  std::vector<double> pass_seconds;
  for (int32_t n = 0; n <= 64; ++n) pass_seconds.push_back(1.0 + 0.3 * n / 64);
  const auto depth_at = [&](double draft) {
    PositionalTree tree(64);
    const std::vector<double> draft_seconds(65, draft);
    return ChooseTree(
               [](int32_t depth, int32_t order) {
                 return At({kPaper}, depth, order);
               },
               {.max_nodes = 64, .max_depth = 20, .pass_seconds = pass_seconds},
               draft_seconds, &tree)
        .max_depth;
  };

  EXPECT_LT(depth_at(0.15), depth_at(0.05));
}

}  // namespace
}  // namespace specinfer
