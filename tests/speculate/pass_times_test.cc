#include "src/speculate/pass_times.h"

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace specinfer {
namespace {

using testing::DoubleNear;
using testing::HasSubstr;

// A machine: t(n, C) with log-normal noise.
class Machine {
 public:
  explicit Machine(double noise) : noise_(noise) {}

  double Exact(int32_t rows, int64_t context_tokens) const {
    // Cheap rows, then matrix units that work on 16 rows at a time.
    const double shape =
        rows <= 4 ? 1.0 + 0.1 * (rows - 1) : 1.3 + 0.9 * ((rows - 1) / 16);
    return slowness *
           (0.020 * shape + 2e-6 * static_cast<double>(context_tokens));
  }
  double Time(int32_t rows, int64_t context_tokens) {
    return Exact(rows, context_tokens) * std::exp(noise_ * normal_(random_));
  }

  double slowness = 1.0;

 private:
  double noise_;
  std::mt19937 random_{5};
  std::normal_distribution<double> normal_;
};

void Observe(Machine* machine, const std::vector<int32_t>& rows,
             int64_t context_tokens, int num_rounds, PassTimes* times) {
  for (int round = 0; round < num_rounds; ++round) {
    for (const int32_t n : rows)
      times->Record(n, context_tokens, machine->Time(n, context_tokens));
  }
}

double RelativeError(const PassTimes& times, const Machine& machine,
                     int32_t rows, int64_t context_tokens) {
  return std::abs(times.Seconds(rows, context_tokens) /
                      machine.Exact(rows, context_tokens) -
                  1.0);
}

TEST(PassTimes, FollowsThePriorBeforeAnyPass) {
  const PassTimes times(
      {.seconds = 0.1, .context_weight = 1e-4, .row_context_weight = 1e-5});

  EXPECT_FALSE(times.has_measured());
  EXPECT_DOUBLE_EQ(times.Seconds(1, 0), 0.1);
  EXPECT_DOUBLE_EQ(times.Seconds(3, 0), 0.1 * 1.12);
  EXPECT_DOUBLE_EQ(times.Seconds(64, 0), 0.1 * 5.4);
  EXPECT_DOUBLE_EQ(times.Seconds(2, 1000), 0.1 * (1.04 + 0.1 + 0.02));
}

TEST(PassTimes, GoesOnWithTheLastSlopeAndThenInProportion) {
  const PassTimes times(
      {.seconds = 1.0, .shape = {{1, 1.0}, {32, 3.0}, {64, 5.0}}});

  EXPECT_DOUBLE_EQ(times.Seconds(96, 0), 7.0);
  EXPECT_DOUBLE_EQ(times.Seconds(1024, 0), 65.0);
  EXPECT_DOUBLE_EQ(times.Seconds(4096, 0), 4 * 65.0);
}

TEST(PassTimes, TakesItsScaleFromTheFirstPass) {
  PassTimes times({.seconds = 1e-3});

  times.Record(16, 0, 0.215);

  EXPECT_TRUE(times.has_measured());
  EXPECT_EQ(times.num_recorded(), 1u);
  EXPECT_NEAR(times.Seconds(16, 0), 0.215, 0.01);
  EXPECT_NEAR(times.Seconds(1, 0), 0.1, 0.01);
}

TEST(PassTimes, ConvergesUnderNoise) {
  Machine machine(/*noise=*/0.15);
  PassTimes times;

  Observe(&machine, {1, 2, 4, 8, 16, 32, 64}, 0, 300, &times);

  for (const int32_t rows : {1, 2, 4, 8, 16, 32, 64})
    EXPECT_LT(RelativeError(times, machine, rows, 0), 0.10) << rows;
}

TEST(PassTimes, FollowsASlowdownAtAllRowsFromPassesOfOneKind) {
  Machine machine(/*noise=*/0.05);
  PassTimes times;
  Observe(&machine, {1, 8, 32}, 0, 200, &times);
  const double before = times.Seconds(32, 0);

  machine.slowness = 2.0;
  Observe(&machine, {8}, 0, 8, &times);
  const double halfway = times.Seconds(32, 0);
  Observe(&machine, {8}, 0, 40, &times);

  EXPECT_NEAR(halfway / before, std::sqrt(2.0), 0.1);
  for (const int32_t rows : {1, 8, 32})
    EXPECT_LT(RelativeError(times, machine, rows, 0), 0.10) << rows;
}

TEST(PassTimes, KeepsItsShapeWhileTheMachineSpeedsUpAndSlowsDown) {
  Machine machine(/*noise=*/0.05);
  PassTimes times;
  Observe(&machine, {1, 8, 32}, 0, 200, &times);

  for (int swing = 0; swing < 10; ++swing) {
    machine.slowness = swing % 2 == 0 ? 1.8 : 1.0;
    Observe(&machine, {8}, 0, 60, &times);
  }

  EXPECT_NEAR(times.Seconds(32, 0) / times.Seconds(1, 0),
              machine.Exact(32, 0) / machine.Exact(1, 0), 0.25);
}

// Passes of 16 rows alone cannot tell the scale from the shape; one row can.
TEST(PassTimes, TellsScaleFromShapeOnceBothAreSeen) {
  Machine machine(/*noise=*/0.02);
  PassTimes times;
  Observe(&machine, {16}, 0, 500, &times);
  const double sixteen = times.Seconds(16, 0);

  Observe(&machine, {1}, 0, 4, &times);

  EXPECT_LT(RelativeError(times, machine, 1, 0), 0.15);
  EXPECT_NEAR(times.Seconds(16, 0) / sixteen, 1.0, 0.1);
}

TEST(PassTimes, BelievesWhatItLearntOfTheNeighbours) {
  PassTimes times;
  for (int round = 0; round < 100; ++round) {
    times.Record(1, 0, 1.0);
    times.Record(16, 0, 1.1);  // the prior says 2.15
  }

  EXPECT_NEAR(times.Seconds(32, 0) / times.Seconds(16, 0), 3.1 / 2.15, 0.05);
}

TEST(PassTimes, ClipsOutliers) {
  PassTimes clipped, outlier;
  for (int pass = 0; pass < 50; ++pass) {
    clipped.Record(1, 0, 1.0);
    outlier.Record(1, 0, 1.0);
  }

  clipped.Record(1, 0, 3.0 * clipped.Seconds(1, 0));
  outlier.Record(1, 0, 1000.0);

  EXPECT_NEAR(outlier.Seconds(1, 0), clipped.Seconds(1, 0), 1e-3);
  EXPECT_LT(outlier.Seconds(1, 0), 1.12);
}

TEST(PassTimes, StartsALongerContextFromTheAttentionsGrowth) {
  Machine machine(/*noise=*/0.0);
  PassTimes times({.context_weight = 1e-4});
  Observe(&machine, {1}, 100, 50, &times);

  EXPECT_LT(RelativeError(times, machine, 1, 30000), 0.02);
}

TEST(PassTimes, StartsALongerContextFromItsNeighboursCorrection) {
  Machine machine(/*noise=*/0.0);
  PassTimes times;  // knows nothing of the attention
  Observe(&machine, {1}, 100, 500, &times);
  Observe(&machine, {1}, 16000, 500, &times);

  EXPECT_NEAR(times.Seconds(1, 64000), times.Seconds(1, 16000), 1e-9);
  EXPECT_LT(RelativeError(times, machine, 1, 16000), 0.02);
}

TEST(PassTimes, LearnsEachContextsFactor) {
  Machine machine(/*noise=*/0.05);
  PassTimes times;  // knows nothing of the attention
  for (int round = 0; round < 400; ++round) {
    for (const int64_t context : {100, 4000, 16000})
      times.Record(1, context, machine.Time(1, context));
  }

  for (const int64_t context : {100, 4000, 16000})
    EXPECT_LT(RelativeError(times, machine, 1, context), 0.1) << context;
}

TEST(PassTimes, IgnoresWhatCannotBeATime) {
  PassTimes times({.seconds = 1.0});

  times.Record(1, 0, 0.0);
  times.Record(1, 0, -1.0);
  times.Record(1, 0, std::numeric_limits<double>::quiet_NaN());
  times.Record(1, 0, std::numeric_limits<double>::infinity());
  times.Record(0, 0, 1.0);
  times.Record(1, -1, 1.0);

  EXPECT_FALSE(times.has_measured());
  EXPECT_EQ(times.Seconds(1, 0), 1.0);
}

// The greatest convex minorant by its definition: at each n the lowest chord.
std::vector<double> HullByChords(std::vector<double> points) {
  for (size_t n = points.size() - 1; n > 1; --n)
    points[n - 1] = std::min(points[n - 1], points[n]);
  std::vector<double> hull = points;
  for (size_t n = 1; n < points.size(); ++n) {
    for (size_t left = 1; left < n; ++left) {
      for (size_t right = n + 1; right < points.size(); ++right) {
        const double part =
            static_cast<double>(n - left) / static_cast<double>(right - left);
        hull[n] = std::min(hull[n],
                           (1.0 - part) * points[left] + part * points[right]);
      }
    }
  }
  return hull;
}

class ConvexTimes : public testing::TestWithParam<int> {};

TEST_P(ConvexTimes, AreTheHullOfTheTimes) {
  std::mt19937 random(static_cast<uint32_t>(GetParam()));
  std::uniform_real_distribution<double> step(-0.3, 1.0);
  PassTimesPrior prior = {.seconds = 0.03, .shape = {{1, 1.0}}};
  for (int32_t rows = 2; rows <= 80; rows += 3) {
    const double ratio = prior.shape.back().ratio + step(random);
    prior.shape.push_back({rows, std::max(ratio, 0.1)});
  }
  const PassTimes times(prior);
  std::vector<double> points = {0.0};
  for (int32_t rows = 1; rows <= 80; ++rows)
    points.push_back(times.Seconds(rows, 700));

  std::vector<double> convex(81, -1.0);
  times.FillConvex(700, 80, absl::MakeSpan(convex));

  EXPECT_THAT(convex,
              testing::Pointwise(DoubleNear(1e-12), HullByChords(points)));
  for (size_t n = 2; n <= 80; ++n) EXPECT_GE(convex[n], convex[n - 1] - 1e-15);
}

INSTANTIATE_TEST_SUITE_P(Shapes, ConvexTimes, testing::Range(0, 20));

TEST(PassTimes, GivesConvexTimesOfOneRow) {
  const PassTimes times({.seconds = 0.5});
  std::vector<double> convex(2);

  times.FillConvex(0, 1, absl::MakeSpan(convex));

  EXPECT_THAT(convex, testing::ElementsAre(0.0, 0.5));
}

TEST(PassTimes, ReadsWhatItWrote) {
  Machine machine(/*noise=*/0.1);
  PassTimes times;
  Observe(&machine, {1, 4, 16, 64}, 3000, 100, &times);

  PassTimes read;
  ASSERT_TRUE(read.FromJson(times.ToJson()).ok());

  EXPECT_TRUE(read.has_measured());
  for (const int32_t rows : {1, 3, 16, 500})
    EXPECT_NEAR(read.Seconds(rows, 3000) / times.Seconds(rows, 3000), 1.0,
                1e-9);
  EXPECT_EQ(read.ToJson().find('\n'), std::string::npos);
}

TEST(PassTimes, TakesAReadScaleAsAHint) {
  Machine machine(/*noise=*/0.0);
  PassTimes times;
  Observe(&machine, {1, 16}, 0, 300, &times);
  PassTimes read;
  ASSERT_TRUE(read.FromJson(times.ToJson()).ok());

  machine.slowness = 2.0;
  Observe(&machine, {1}, 0, 2, &read);

  EXPECT_LT(RelativeError(read, machine, 1, 0), 0.1);
  EXPECT_LT(RelativeError(read, machine, 16, 0), 0.1);
}

struct Hostile {
  const char* name;
  const char* find;  // what is replaced in a good line
  const char* with;
  const char* message;
};

class HostilePassTimes : public testing::TestWithParam<Hostile> {};

TEST_P(HostilePassTimes, AreRefusedAndChangeNothing) {
  PassTimes times({.seconds = 0.25, .shape = {{1, 1.0}, {512, 64.0}}});
  std::string line = times.ToJson();
  const size_t place = line.find(GetParam().find);
  ASSERT_NE(place, std::string::npos) << line;
  line.replace(place, std::string(GetParam().find).size(), GetParam().with);

  const absl::Status status = times.FromJson(line);

  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr(GetParam().message));
  EXPECT_FALSE(times.has_measured());
  EXPECT_EQ(times.Seconds(1, 0), 0.25);
}

INSTANTIATE_TEST_SUITE_P(
    Lines, HostilePassTimes,
    testing::Values(
        Hostile{"NoJson", "}", "", "not a JSON object"},
        Hostile{"Trailing", "}", "}}", "not a JSON object"},
        Hostile{"Missing", "\"doubt\"", "\"doubts\"", "\"doubt\""},
        Hostile{"NoArray", "[0.25]", "0.25", "\"seconds\""},
        Hostile{"TooMany", "[0.25]", "[0.25,1]", "\"seconds\" is not 1"},
        Hostile{"Text", "[0.25]", "[\"0.25\"]", "\"seconds\""},
        Hostile{"Null", "[0.25]", "[null]", "\"seconds\""},
        Hostile{"Negative", "[0.25]", "[-0.25]", "\"seconds\""},
        Hostile{"Huge", "[0.25]", "[1e300]", "\"seconds\""},
        Hostile{"Overflow", "[0.25]", "[1e999]", "not a JSON object"},
        Hostile{"OtherRows", "[1,512,1024]", "[1,500,1024]", "another shape's"},
        Hostile{"FewerRows", "[1,512,1024]", "[1,512]", "\"rows\""},
        Hostile{"ZeroDoubt", "[1.0,", "[0.0,", "\"doubt\""},
        Hostile{"ZeroRatio", "\"ratios\":[1.0,64", "\"ratios\":[1.0,0",
                "\"ratios\""},
        Hostile{"SlowerThanRowByRow", "\"ratios\":[1.0,64",
                "\"ratios\":[1.0,1025", "one by one"},
        Hostile{"FasterThanHalfARow", "\"ratios\":[1.0,64.0",
                "\"ratios\":[1.0,0.4", "\"ratios\""},
        Hostile{"OtherUnit", "\"ratios\":[1.0", "\"ratios\":[2.0",
                "begin at 1"}),
    [](const auto& param) { return param.param.name; });

TEST(PassTimes, RefusesALongLine) {
  PassTimes times;

  const absl::Status status = times.FromJson(std::string(100000, '['));

  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("too long"));
}

TEST(PassTimes, IsSharedByThreads) {
  PassTimes times;
  std::vector<std::thread> threads;

  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&times] {
      std::vector<double> convex(65);
      for (int pass = 0; pass < 500; ++pass) {
        times.Record(1 + pass % 64, pass, 0.01);
        times.FillConvex(pass, 64, absl::MakeSpan(convex));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_NEAR(times.Seconds(1, 0), 0.01, 0.01);
}

}  // namespace
}  // namespace specinfer
