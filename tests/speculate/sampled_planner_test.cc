#include "src/speculate/sampled_planner.h"

#include <vector>

#include "gtest/gtest.h"

namespace specinfer {
namespace {

constexpr double kPlainSeconds = 0.04;

// A world where a draft's pass takes a part of a plain round, and every first
// child is accepted with one probability, the others never.
class World {
 public:
  World(double draft_cost, double acceptance, Verifier verifier)
      : acceptance_(acceptance),
        planner_({.max_nodes = 64, .has_model = true}, &times_) {
    for (int i = 0; i < 8; ++i) times_.Record(1, 100, kPlainSeconds);
    for (int width = 0; width <= 16; ++width)
      draft_seconds_.push_back(draft_cost * kPlainSeconds *
                               (1.0 + 0.05 * width));
    planner_.Begin(verifier);
  }

  // The gain of `num_rounds` over plain decoding.
  double Run(int num_rounds, Strategy strategy = Strategy::kAuto) {
    double tokens = 0.0, seconds = 0.0;
    num_drafted = 0;
    for (int i = 0; i < num_rounds; ++i) {
      const Plan plan = planner_.Next({.strategy = strategy,
                                       .shape = shape_wanted,
                                       .num_context_tokens = 100,
                                       .max_depth = 100,
                                       .num_tokens_left = 200},
                                      draft_seconds_);
      const TokenTree& shape = planner_.shape();
      EXPECT_EQ(plan.strategy == Strategy::kOff, shape.size() == 1);
      if (shape.size() > 1) ++num_drafted;
      const Walk walk = MakeWalk(shape);
      const double round = times_.Seconds(shape.size(), 100) + Draft(shape);
      planner_.Record(plan, shape, walk, round);
      tokens += static_cast<double>(walk.tokens.size());
      seconds += round;
    }
    return tokens * kPlainSeconds / seconds;
  }

  const TokenTree& shape() const { return planner_.shape(); }
  SampledPlanner& planner() { return planner_; }
  absl::Span<const double> draft_seconds() const { return draft_seconds_; }
  int num_drafted = 0;
  TreeShape shape_wanted;

 private:
  bool IsAccepted() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<double>(state_ >> 8) * 0x1p-24 < acceptance_;
  }

  Walk MakeWalk(const TokenTree& tree) {
    Walk walk;
    for (int32_t node = 0; node >= 0;) {
      walk.path.push_back(node);
      walk.nodes.push_back(node);
      walk.tokens.push_back(0);
      node = IsAccepted() ? tree.first_child(node) : -1;
    }
    return walk;
  }

  double Draft(const TokenTree& shape) const {
    std::vector<size_t> widths(16, 0);
    for (int32_t node = 0; node < shape.size(); ++node) {
      if (shape.first_child(node) >= 0)
        ++widths[static_cast<size_t>(shape.depth(node))];
    }
    double seconds = 0.0;
    for (const size_t width : widths)
      if (width > 0) seconds += draft_seconds_[width];
    return seconds;
  }

  const double acceptance_;
  PassTimes times_;
  SampledPlanner planner_;
  std::vector<double> draft_seconds_;
  uint32_t state_ = 7;
};

TEST(SampledPlanner, DraftsWhereItPays) {
  for (const Verifier verifier :
       {Verifier::kRatio, Verifier::kWithoutReplacement}) {
    World world(/*draft_cost=*/0.1, /*acceptance=*/0.8, verifier);

    EXPECT_GT(world.Run(200), 1.5);
    EXPECT_GT(world.num_drafted, 190);
  }
}

TEST(SampledPlanner, DecodesPlainlyWhereADraftCostsMoreThanItBrings) {
  World world(/*draft_cost=*/1.2, /*acceptance=*/0.9, Verifier::kRatio);

  EXPECT_NEAR(world.Run(200), 1.0, 1e-3);
  EXPECT_EQ(world.num_drafted, 0);
}

TEST(SampledPlanner, FindsOutADraftThatDisappoints) {
  World world(/*draft_cost=*/0.3, /*acceptance=*/0.05, Verifier::kRatio);

  world.Run(32);
  EXPECT_LT(world.num_drafted, 24);
  EXPECT_GT(world.Run(400), 0.97);
}

TEST(SampledPlanner, GrowsLongerChainsWhereMoreIsAccepted) {
  World bad(/*draft_cost=*/0.1, /*acceptance=*/0.4, Verifier::kRatio);
  World good(/*draft_cost=*/0.1, /*acceptance=*/0.95, Verifier::kRatio);
  bad.Run(400, Strategy::kAuto);
  good.Run(400, Strategy::kAuto);

  EXPECT_LT(bad.shape().size(), 5);
  EXPECT_GT(good.shape().size(), 5);
  EXPECT_TRUE(good.shape().is_chain());
}

TEST(SampledPlanner, KeepsTheCallersShapeWhateverHappens) {
  for (const double acceptance : {0.0, 1.0}) {
    World world(/*draft_cost=*/3.0, acceptance, Verifier::kWithoutReplacement);
    world.Run(1, Strategy::kTree);
    const std::vector<int32_t> depths(world.shape().depths().begin(),
                                      world.shape().depths().end());
    EXPECT_FALSE(world.shape().is_chain());
    world.Run(100, Strategy::kTree);
    EXPECT_EQ(world.num_drafted, 100);
    EXPECT_EQ(depths, std::vector<int32_t>(world.shape().depths().begin(),
                                           world.shape().depths().end()));
    world.Run(1, Strategy::kDraft);
    EXPECT_TRUE(world.shape().is_chain());
    EXPECT_GT(world.shape().size(), 1);
  }
}

TEST(SampledPlanner, TakesAShapeThatIsGiven) {
  World world(0.1, 0.8, Verifier::kWithoutReplacement);
  world.shape_wanted = {.nodes = 9, .depth = 2};
  world.Run(1, Strategy::kTree);
  EXPECT_EQ(world.shape().size(), 9);
  for (const int32_t depth : world.shape().depths()) EXPECT_LE(depth, 2);

  world.planner().Begin(Verifier::kRatio);
  world.shape_wanted = {.nodes = 9};
  world.Run(1, Strategy::kTree);
  EXPECT_EQ(world.shape().size(), 9);
  EXPECT_TRUE(world.shape().is_chain());
  world.shape_wanted = {.depth = 2};
  world.Run(1, Strategy::kDraft);
  EXPECT_EQ(world.shape().size(), 3);
}

TEST(SampledPlanner, IsNoDeeperThanTheAnswerHasRoom) {
  World world(0.1, 0.8, Verifier::kRatio);
  SampledPlanner& planner = world.planner();

  EXPECT_EQ(planner
                .Next({.strategy = Strategy::kDraft, .max_depth = 2},
                      world.draft_seconds())
                .strategy,
            Strategy::kDraft);
  EXPECT_EQ(world.shape().size(), 3);
  planner.Next({.strategy = Strategy::kDraft, .max_depth = 0},
               world.draft_seconds());
  EXPECT_EQ(world.shape().size(), 1);
}

TEST(SampledPlanner, DecodesPlainlyWhereNobodyCanDraft) {
  World world(0.1, 0.8, Verifier::kRatio);

  EXPECT_EQ(world.planner()
                .Next({.strategy = Strategy::kDraft, .max_depth = 9}, {})
                .strategy,
            Strategy::kOff);
}

}  // namespace
}  // namespace specinfer
