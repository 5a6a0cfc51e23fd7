#include "src/backend/turns.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "src/backend/registry.h"
#include "src/base/executor.h"
#include "tests/backend/machine.h"
#include "tests/backend/stream_cases.h"

namespace specinfer::testing {
namespace {

constexpr Urgency kAll[] = {Urgency::kOrdinary, Urgency::kRaised,
                            Urgency::kHighest};

TEST(Turns, OnlyTheLessUrgentWait) {
  Turns turns;
  for (const Urgency mine : kAll) {
    for (const Urgency other : kAll) {
      Turn turn(turns, mine);
      Turn other_turn(turns, other);
      EXPECT_FALSE(turn.must_wait());
      {
        // Its own work is nobody it waits for.
        const ScopedTurn self(&turn), scoped(&other_turn), again(&other_turn);
        EXPECT_EQ(turn.must_wait(), mine < other);
      }
      EXPECT_FALSE(turn.must_wait());
    }
  }
}

TEST(Turns, CountsEachUrgencyApart) {
  Turns turns;
  Turn ordinary(turns), raised(turns, Urgency::kRaised),
      highest(turns, Urgency::kHighest);
  {
    const ScopedTurn first(&raised);
    {
      const ScopedTurn second(&highest);
      EXPECT_TRUE(raised.must_wait());
    }
    EXPECT_FALSE(raised.must_wait());
    EXPECT_TRUE(ordinary.must_wait());
  }
  EXPECT_FALSE(ordinary.must_wait());
}

TEST(Turns, WorkClockStandsStillWhileWaiting) {
  Turns turns;
  Turn turn(turns);
  const PassControl control = {.turn = &turn};
  const int64_t start_us = control.WorkMicros();
  turn.AddWaited(int64_t{3600} * 1000000);
  EXPECT_LT(control.WorkMicros(), start_us);
}

// Cancels from another thread, a little later.
class Canceller {
 public:
  explicit Canceller(std::atomic<bool>* is_cancelled)
      : thread_([is_cancelled] {
          std::this_thread::sleep_for(std::chrono::milliseconds(3));
          *is_cancelled = true;
        }) {}
  ~Canceller() { thread_.join(); }

 private:
  std::thread thread_;
};

// Adds 1 to 40 x 32,768 zeros, in many tiles.
class WaitingPass : public ::testing::Test {
 protected:
  void SetUp() override {
    args_.sum = machine_.MakeTensor(40, 32768);
    args_.addend =
        machine_.MakeTensor(40, 32768, std::vector<float>(40 * 32768, 1.0f));
  }
  absl::Status Add(const PassControl& control, bool resume) {
    machine_.stream().Begin(control, resume);
    return machine_.stream().Add(args_);
  }
  int NumDone() const {
    int count = 0;
    for (const float value : Machine::Values(args_.sum))
      count += value == 1.0f ? 1 : 0;
    return count;
  }

  static constexpr int kAllDone = 40 * 32768;
  Machine machine_{"cpu", 2};
  Turns turns_;
  Turn turn_{turns_};
  Turn other_{turns_, Urgency::kHighest};
  AddArgs args_;
};

TEST_F(WaitingPass, DoesNothingUntilItsDeadlineAndGoesOnAfterwards) {
  {
    const ScopedTurn scoped(&other_);
    for (int i = 0; i < 3; ++i) {
      const PassControl control = {.deadline_us = NowMicros() + 3000,
                                   .turn = &turn_};
      EXPECT_TRUE(absl::IsDeadlineExceeded(Add(control, i > 0)));
    }
    EXPECT_EQ(NumDone(), 0);
    EXPECT_GT(turn_.waited_us(), 0);
  }
  EXPECT_TRUE(Add({.turn = &turn_}, /*resume=*/true).ok());
  EXPECT_EQ(NumDone(), kAllDone);
}

TEST_F(WaitingPass, WaitsBetweenOps) {
  AddArgs second = args_;
  second.sum = machine_.MakeTensor(40, 32768);
  std::atomic<bool> is_cancelled{false};
  ASSERT_TRUE(Add({.is_cancelled = &is_cancelled, .turn = &turn_}, false).ok());

  const ScopedTurn scoped(&other_);
  const Canceller canceller(&is_cancelled);
  EXPECT_TRUE(absl::IsCancelled(machine_.stream().Add(second)));
  EXPECT_EQ(NumDone(), kAllDone);
  args_.sum = second.sum;
  EXPECT_EQ(NumDone(), 0);
}

TEST_F(WaitingPass, EndsSoonWhenItIsCancelled) {
  const ScopedTurn scoped(&other_);
  std::atomic<bool> is_cancelled{false};
  const Canceller canceller(&is_cancelled);
  const absl::Status status =
      Add({.is_cancelled = &is_cancelled, .turn = &turn_}, /*resume=*/false);
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_EQ(NumDone(), 0);
}

TEST_F(WaitingPass, GoesOnWhenTheOthersHaveFinished) {
  std::atomic<bool> has_begun{false};
  std::thread other([&] {
    const ScopedTurn scoped(&other_);
    has_begun = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  });
  while (!has_begun) std::this_thread::yield();
  EXPECT_TRUE(Add({.turn = &turn_}, /*resume=*/false).ok());
  other.join();
  EXPECT_EQ(NumDone(), kAllDone);
}

TEST_F(WaitingPass, OfTheSameOrAHigherUrgencyGoesOn) {
  turn_.set_urgency(Urgency::kHighest);
  const ScopedTurn scoped(&other_);
  EXPECT_TRUE(Add({.deadline_us = kNoDeadline, .turn = &turn_}, false).ok());
  EXPECT_EQ(NumDone(), kAllDone);
}

// Two workers in turn, on the calling thread. `before` is called first.
class HookedExecutor : public Executor {
 public:
  int num_workers() const override { return 2; }
  void Run(int num_tasks, absl::FunctionRef<void(int task)> task) override {
    if (before) before();
    for (int i = 0; i < num_tasks; ++i) task(i);
  }
  std::function<void()> before;
};

// More urgent work that comes when the tiles of an op are about to run.
TEST(WaitingTiles, StopInTheMiddleOfAnOp) {
  Memory memory(0);
  HookedExecutor executor;
  auto backend = CreateBackend("cpu", memory, executor);
  ASSERT_TRUE(backend.ok()) << backend.status();
  auto stream = (*backend)->CreateStream(Machine::kLimits);
  ASSERT_TRUE(stream.ok()) << stream.status();
  auto buffer = (*backend)->Allocate(2 * 40 * 32768 * sizeof(float), "test");
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  const Tensor both = {buffer->get(), 0, 80, 32768};
  const AddArgs args = {.sum = both.Rows(0, 40), .addend = both.Rows(40, 40)};
  const std::vector<float> ones(40 * 32768, 1.0f);
  (*stream)->Begin({}, /*resume=*/false);
  ASSERT_TRUE((*stream)->CopyIn(ones, args.addend).ok());
  Turns turns;
  Turn turn(turns);
  std::atomic<bool> is_cancelled{false};
  std::unique_ptr<Canceller> canceller;
  executor.before = [&] {
    turns.Begin(Urgency::kRaised);
    canceller = std::make_unique<Canceller>(&is_cancelled);
  };

  (*stream)->Begin({.is_cancelled = &is_cancelled, .turn = &turn}, false);
  EXPECT_TRUE(absl::IsCancelled((*stream)->Add(args)));

  EXPECT_NE(canceller, nullptr);
  EXPECT_GT(turn.waited_us(), 0);
  EXPECT_EQ(Machine::Values(args.sum), std::vector<float>(40 * 32768, 0.0f));
}

// Somebody's turn comes and goes all the time: every op has the bits that it
// has alone.
TEST(WaitingTiles, HaveTheSameBits) {
  Turns turns;
  Turn turn(turns);
  std::atomic<bool> is_over{false};
  std::thread other([&] {
    Turn urgent(turns, Urgency::kHighest);
    while (!is_over) {
      {
        const ScopedTurn scoped(&urgent);
        std::this_thread::yield();
      }
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
  for (const StreamCase& stream_case : AllStreamCases()) {
    Machine alone("cpu", 1);
    const std::vector<uint32_t> expected = stream_case.run(alone);
    Machine machine("cpu", 2);
    machine.set_turn(&turn);
    EXPECT_EQ(stream_case.run(machine), expected) << stream_case.name;
  }
  is_over = true;
  other.join();
}

}  // namespace
}  // namespace specinfer::testing
