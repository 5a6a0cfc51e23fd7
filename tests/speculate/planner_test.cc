#include "src/speculate/planner.h"

#include "gtest/gtest.h"

namespace specinfer {
namespace {

constexpr double kPlainSeconds = 0.04;

// A world in which each strategy has a true gain; time is plain decoding's.
class World {
 public:
  explicit World(const PlannerOptions& options) : planner_(options, &times_) {
    for (int i = 0; i < 8; ++i) times_.Record(1, 100, kPlainSeconds);
  }

  // Runs `num_rounds` and returns the rounds that `strategy` got.
  int Run(int num_rounds, Strategy strategy) {
    int num_chosen = 0;
    for (int i = 0; i < num_rounds; ++i) {
      Plan plan = planner_.Next(request);
      num_chosen += plan.strategy == strategy ? 1 : 0;
      if (plan.strategy == Strategy::kTree) request.joining_seconds = 0.0;
      double gain = 1.0;
      double tokens = 1.0;
      if (plan.strategy == Strategy::kNgram) {
        gain = free_gain;
        tokens = free_gain > 1.5 ? 4.0 : 1.0;
      } else if (plan.strategy == Strategy::kTree) {
        gain = model_gain;
        tokens = 3.0;
      }
      const double seconds = tokens / gain * kPlainSeconds;
      tokens_ += tokens;
      seconds_ += seconds;
      plan.expected_tokens = tokens;
      planner_.Record(plan, static_cast<int32_t>(tokens), seconds);
    }
    return num_chosen;
  }

  double TotalGain() const { return tokens_ * kPlainSeconds / seconds_; }

  double free_gain = 1.0;
  double model_gain = 1.0;
  PlanRequest request = {
      .num_context_tokens = 100, .max_depth = 100, .num_tokens_left = 200};

 private:
  PassTimes times_;
  Planner planner_;
  double tokens_ = 0.0;
  double seconds_ = 0.0;
};

TEST(Planner, BeginsWithPlainDecodingWhereNothingWasMeasured) {
  PassTimes times;
  Planner planner({.has_model = true}, &times);

  EXPECT_EQ(planner.Next({.max_depth = 10}).strategy, Strategy::kOff);
}

TEST(Planner, DoesWhatTheCallerSays) {
  PassTimes times;
  Planner planner({.has_model = true}, &times);
  for (const Strategy strategy :
       {Strategy::kOff, Strategy::kNgram, Strategy::kDraft, Strategy::kTree}) {
    const Plan plan = planner.Next({.strategy = strategy, .max_depth = 10});
    EXPECT_EQ(plan.strategy, strategy);
    EXPECT_EQ(plan.uses_model,
              strategy == Strategy::kDraft || strategy == Strategy::kTree);
    EXPECT_EQ(plan.uses_free, strategy == Strategy::kNgram);
  }
}

TEST(Planner, StaysWithWhatLooksUpWhileThatPays) {
  World world({.has_model = true});
  world.free_gain = 4.0;
  world.model_gain = 1.6;
  world.request.joining_seconds = 0.2;

  EXPECT_EQ(world.Run(60, Strategy::kNgram), 60);
}

TEST(Planner, JoinsAModelThatPays) {
  World world({.has_model = true});
  world.model_gain = 1.8;
  world.request.joining_seconds = 0.1;

  EXPECT_GT(world.Run(60, Strategy::kTree), 50);
  EXPECT_GT(world.TotalGain(), 1.6);
}

TEST(Planner, DoesNotJoinWhereTooLittleIsLeft) {
  World world({.has_model = true});
  world.model_gain = 1.8;
  world.request.joining_seconds = 0.4;
  world.request.num_tokens_left = 20;

  EXPECT_EQ(world.Run(20, Strategy::kTree), 0);
}

TEST(Planner, LosesLittleToWhatNeverPays) {
  for (const double gain : {0.3, 0.6, 0.9}) {
    World world({.has_model = true});
    world.free_gain = gain;
    world.model_gain = gain;
    world.Run(32, Strategy::kOff);
    EXPECT_GT(world.Run(300, Strategy::kOff), 270) << gain;
    EXPECT_GT(world.TotalGain(), 0.93) << gain;
  }
}

TEST(Planner, FollowsATextThatChanges) {
  World world({.has_model = true});
  world.model_gain = 1.7;
  world.Run(40, Strategy::kTree);
  world.model_gain = 0.6;
  world.Run(30, Strategy::kOff);
  EXPECT_LT(world.Run(30, Strategy::kTree), 10);
  world.free_gain = 3.0;
  world.Run(60, Strategy::kNgram);
  EXPECT_GT(world.Run(30, Strategy::kNgram), 25);
}

TEST(Planner, AvoidsADrafterThatFails) {
  World world({.has_model = true});
  PassTimes times;
  times.Record(1, 0, kPlainSeconds);
  Planner planner({.has_model = true}, &times);
  int num_model_rounds = 0;
  for (int i = 0; i < 100; ++i) {
    const Plan plan = planner.Next({.max_depth = 10});
    if (plan.uses_model) {
      ++num_model_rounds;
      planner.Avoid(DrafterKind::kModel);
    }
    planner.Record(plan, 1, kPlainSeconds);
  }
  EXPECT_LT(num_model_rounds, 12);
}

TEST(Planner, FillsATreeOfTheCallersShapeWhateverItCosts) {
  PassTimes times;
  for (const int32_t rows : {1, 2, 8, 32})
    times.Record(rows, 100, kPlainSeconds * rows);
  Planner planner({.max_nodes = 16, .has_model = true}, &times);
  PlanRequest request = {
      .strategy = Strategy::kTree, .num_context_tokens = 100, .max_depth = 10};
  EXPECT_FALSE(planner.Next(request).budget.IsWorth(0.01, 5));

  request.shape = {.nodes = 6, .depth = 4};
  const TreeBudget shaped = planner.Next(request).budget;
  EXPECT_TRUE(shaped.IsWorth(0.01, 5));
  EXPECT_EQ(shaped.max_nodes, 6);
  EXPECT_EQ(shaped.max_depth, 4);

  // Neither the session's limit nor the text's is exceeded.
  request.shape = {.nodes = 60, .depth = 40};
  const TreeBudget clamped = planner.Next(request).budget;
  EXPECT_EQ(clamped.max_nodes, 16);
  EXPECT_EQ(clamped.max_depth, 10);
}

TEST(Planner, LeavesABudgetThatIsWorthItsTime) {
  PassTimes times;
  times.Record(1, 0, kPlainSeconds);
  Planner planner({.max_nodes = 16}, &times);
  const Plan plan =
      planner.Next({.strategy = Strategy::kNgram, .max_depth = 5});

  EXPECT_EQ(plan.budget.max_nodes, 16);
  EXPECT_EQ(plan.budget.max_depth, 5);
  // A row more costs a few percent of a pass, so a guess must be right as
  // often.
  EXPECT_TRUE(plan.budget.IsWorth(0.5, 1));
  EXPECT_FALSE(plan.budget.IsWorth(0.001, 1));
  EXPECT_FALSE(plan.budget.IsWorth(1.0, 16));
}

}  // namespace
}  // namespace specinfer
