#include "src/backend/stream.h"

#include <atomic>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/backend/machine.h"
#include "tests/backend/stream_cases.h"
#include "tests/base/float_mode.h"

namespace specinfer::testing {
namespace {

using ::testing::Combine;
using ::testing::Values;
using ::testing::ValuesIn;

std::vector<uint32_t> ReferenceBits(const StreamCase& stream_case) {
  Machine machine("cpu-reference", 1);
  return stream_case.run(machine);
}

class StreamOp : public ::testing::TestWithParam<
                     std::tuple<StreamCase, std::string, int>> {
 protected:
  StreamOp() : machine_(std::get<1>(GetParam()), std::get<2>(GetParam())) {}

  void SetUp() override {
    if (!machine_.is_available())
      GTEST_SKIP() << "this machine lacks " << std::get<1>(GetParam());
  }

  const StreamCase& stream_case() const { return std::get<0>(GetParam()); }

  Machine machine_;
};

TEST_P(StreamOp, GivesTheBitsOfTheReference) {
  const std::vector<uint32_t> expected = ReferenceBits(stream_case());

  const std::vector<uint32_t> bits = stream_case().run(machine_);

  ASSERT_FALSE(expected.empty());
  EXPECT_EQ(bits, expected);
}

TEST_P(StreamOp, GivesTheSameBitsWhenStoppedAfterEveryTile) {
  const std::vector<uint32_t> expected = ReferenceBits(stream_case());
  machine_.set_stops_always(true);

  const std::vector<uint32_t> bits = stream_case().run(machine_);

  EXPECT_EQ(bits, expected);
}

TEST_P(StreamOp, GivesTheSameBitsWhenTheHostFlushesDenormals) {
  const std::vector<uint32_t> expected = ReferenceBits(stream_case());
  std::vector<uint32_t> bits;
  uint64_t after = 0;

  {
    const ScopedFloatMode host(kFlushDenormals);
    bits = stream_case().run(machine_);
    after = FloatMode();
  }

  EXPECT_EQ(bits, expected);
  EXPECT_EQ(after & kFlushDenormals, kFlushDenormals);
}

INSTANTIATE_TEST_SUITE_P(
    AllBackends, StreamOp,
    Combine(ValuesIn(AllStreamCases()), ValuesIn(CpuBackends()), Values(1, 2)),
    [](const auto& instance) {
      const std::string backend = std::get<1>(instance.param).substr(4);
      return std::get<0>(instance.param).name + "_" + backend + "_" +
             std::to_string(std::get<2>(instance.param)) + "workers";
    });

// An Add of many tiles, by hand.
struct LongAdd {
  explicit LongAdd(Machine& machine) {
    args.sum = machine.MakeTensor(40, 32768);
    args.addend =
        machine.MakeTensor(40, 32768, std::vector<float>(40 * 32768, 1.0f));
  }
  int NumDone() const {
    int count = 0;
    for (const float value : Machine::Values(args.sum))
      count += value == 1.0f ? 1 : 0;
    return count;
  }
  AddArgs args;
};

TEST(Stream, StopsAtItsDeadlineWithSomethingDone) {
  Machine machine("cpu", 1);
  LongAdd add(machine);

  machine.stream().Begin({.deadline_us = 0}, /*resume=*/false);
  const absl::Status status = machine.stream().Add(add.args);

  EXPECT_TRUE(absl::IsDeadlineExceeded(status));
  EXPECT_EQ(add.NumDone(), 32768);
}

TEST(Stream, RefusesOpsAfterOneStopped) {
  Machine machine("cpu", 1);
  LongAdd add(machine);
  LongAdd other(machine);

  machine.stream().Begin({.deadline_us = 0}, /*resume=*/false);
  ASSERT_FALSE(machine.stream().Add(add.args).ok());
  const absl::Status second = machine.stream().Add(other.args);
  const absl::Status wait = machine.stream().Wait();

  EXPECT_TRUE(absl::IsDeadlineExceeded(second));
  EXPECT_TRUE(absl::IsDeadlineExceeded(wait));
  EXPECT_EQ(other.NumDone(), 0);
}

TEST(Stream, RunsEveryTileOnceWhenResumed) {
  Machine machine("cpu", 2);
  LongAdd add(machine);
  LongAdd other(machine);
  machine.set_stops_always(true);

  const absl::Status status = machine.Run([&](Stream& stream) {
    const absl::Status first = stream.Add(add.args);
    return first.ok() ? stream.Add(other.args) : first;
  });

  EXPECT_TRUE(status.ok()) << status;
  EXPECT_GT(machine.num_stops(), 10);
  EXPECT_EQ(add.NumDone(), 40 * 32768);
  EXPECT_EQ(other.NumDone(), 40 * 32768);
}

TEST(Stream, DoesNothingOnceCancelled) {
  Machine machine("cpu", 2);
  LongAdd add(machine);
  const std::atomic<bool> is_cancelled{true};

  machine.stream().Begin({.is_cancelled = &is_cancelled}, /*resume=*/false);
  const absl::Status status = machine.stream().Add(add.args);
  const absl::Status wait = machine.stream().Wait();

  EXPECT_TRUE(absl::IsCancelled(status));
  EXPECT_TRUE(absl::IsCancelled(wait));
  EXPECT_EQ(add.NumDone(), 0);
}

TEST(Stream, StartsAfreshAfterACancelledPass) {
  Machine machine("cpu", 2);
  LongAdd add(machine);
  const std::atomic<bool> is_cancelled{true};
  machine.stream().Begin({.is_cancelled = &is_cancelled}, /*resume=*/false);
  ASSERT_TRUE(absl::IsCancelled(machine.stream().Add(add.args)));

  const absl::Status status =
      machine.Run([&](Stream& stream) { return stream.Add(add.args); });

  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(add.NumDone(), 40 * 32768);
}

}  // namespace
}  // namespace specinfer::testing
