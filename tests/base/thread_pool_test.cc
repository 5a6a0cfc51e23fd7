#include "src/base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#if defined(__linux__)
#include <sched.h>
#include <unistd.h>

#include <sys/resource.h>
#endif

namespace specinfer {
namespace {

// How often each of `num_tasks` tasks ran.
std::vector<int> CountRuns(Executor& executor, int num_tasks) {
  std::vector<std::atomic<int>> counts(static_cast<size_t>(num_tasks));
  executor.Run(num_tasks, [&](int task) {
    counts[static_cast<size_t>(task)].fetch_add(1);
  });
  return {counts.begin(), counts.end()};
}

TEST(ThreadPool, RunsEachTaskOnce) {
  ThreadPool pool(3);

  for (int num_tasks = 0; num_tasks < 50; ++num_tasks) {
    ASSERT_EQ(CountRuns(pool, num_tasks),
              std::vector<int>(static_cast<size_t>(num_tasks), 1));
  }
}

TEST(ThreadPool, CountsItsCallerAsAThread) {
  EXPECT_EQ(ThreadPool(1).num_threads(), 1);
  EXPECT_EQ(ThreadPool(3).num_threads(), 3);
}

TEST(ThreadPool, HasAThreadForEachUsableCpuUnlessTold) {
  EXPECT_EQ(ThreadPool(0).num_threads(), NumUsableCpus());
}

TEST(ThreadPool, HasRoomForAWorkerOnEachUsableCpu) {
  EXPECT_EQ(ThreadPool(1).num_workers(), NumUsableCpus());
  EXPECT_EQ(ThreadPool(NumUsableCpus() + 2).num_workers(), NumUsableCpus() + 2);
}

TEST(ThreadPool, RunsEverythingOnTheCallerWithOneWorker) {
  ThreadPool pool(1);
  std::vector<std::thread::id> ids;

  pool.Run(5, [&](int) { ids.push_back(std::this_thread::get_id()); });

  EXPECT_EQ(ids, std::vector<std::thread::id>(5, std::this_thread::get_id()));
}

TEST(ThreadPool, LetsOtherThreadsHelp) {
  ThreadPool pool(2);
  std::atomic<int> num_inside{0};

  // Each task waits until both are inside, so this ends only if two threads
  // take part.
  pool.Run(2, [&](int) {
    num_inside.fetch_add(1);
    while (num_inside.load() < 2) std::this_thread::yield();
  });

  EXPECT_EQ(num_inside.load(), 2);
}

TEST(ThreadPool, WakesWorkersThatSleep) {
  ThreadPool pool(2);

  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> num_inside{0};
    pool.Run(2, [&](int) {
      num_inside.fetch_add(1);
      while (num_inside.load() < 2) std::this_thread::yield();
    });
  }
}

TEST(ThreadPool, RunsALoopInsideATask) {
  ThreadPool pool(3);
  std::atomic<int> count{0};

  pool.Run(8, [&](int) {
    pool.Run(8, [&](int) { pool.Run(2, [&](int) { count.fetch_add(1); }); });
  });

  EXPECT_EQ(count.load(), 128);
}

TEST(ThreadPool, ServesCallersFromSeveralThreads) {
  ThreadPool pool(3);
  std::atomic<int> count{0};
  std::vector<std::thread> callers;

  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int loop = 0; loop < 500; ++loop)
        pool.Run(7, [&](int) { count.fetch_add(1); });
    });
  }
  for (std::thread& caller : callers) caller.join();

  EXPECT_EQ(count.load(), 4 * 500 * 7);
}

TEST(ThreadPool, ShowsTheCallerWhatTasksWrote) {
  ThreadPool pool(4);

  for (int loop = 0; loop < 2000; ++loop) {
    int values[16] = {};
    pool.Run(16, [&](int task) { values[task] = task + loop; });
    for (int task = 0; task < 16; ++task) ASSERT_EQ(values[task], task + loop);
  }
}

TEST(ThreadPool, EndsWhileItsWorkersSpinOrSleep) {
  for (int round = 0; round < 50; ++round) {
    auto pool = std::make_unique<ThreadPool>(3);
    if (round % 2 == 0) pool->Run(3, [](int) {});
    if (round % 5 == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    pool.reset();
  }
}

// ---- Settings ----

// Runs a loop that ends only if `num_threads` threads are inside at once.
void NeedThreads(ThreadPool& pool, int num_threads) {
  std::atomic<int> num_inside{0};
  pool.Run(num_threads, [&](int) {
    num_inside.fetch_add(1);
    while (num_inside.load() < num_threads) std::this_thread::yield();
  });
}

TEST(ThreadPool, AddsThreads) {
  ThreadPool pool(4);
  ASSERT_TRUE(pool.SetNumThreads(1).ok());

  ASSERT_TRUE(pool.SetNumThreads(4).ok());

  EXPECT_EQ(pool.num_threads(), 4);
  NeedThreads(pool, 4);
}

TEST(ThreadPool, RunsOnTheCallerAloneOnceItIsTheOnlyThread) {
  ThreadPool pool(3);

  ASSERT_TRUE(pool.SetNumThreads(1).ok());

  std::vector<std::thread::id> ids;
  pool.Run(5, [&](int) { ids.push_back(std::this_thread::get_id()); });
  EXPECT_EQ(ids, std::vector<std::thread::id>(5, std::this_thread::get_id()));
}

TEST(ThreadPool, KeepsItsRoomWhenThreadsGo) {
  ThreadPool pool(5);
  const int num_workers = pool.num_workers();

  ASSERT_TRUE(pool.SetNumThreads(2).ok());

  EXPECT_EQ(pool.num_workers(), num_workers);
}

TEST(ThreadPool, RefusesNumbersItHasNoRoomFor) {
  ThreadPool pool(2);
  const int num_threads = pool.num_threads();

  EXPECT_EQ(pool.SetNumThreads(0).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(pool.SetNumThreads(-3).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(pool.SetNumThreads(pool.num_workers() + 1).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(pool.num_threads(), num_threads);
}

TEST(ThreadPool, RunsEachTaskOnceWhileEverySettingChanges) {
  ThreadPool pool(4);
  std::atomic<bool> is_stopping{false};
  std::thread changer([&] {
    for (uint32_t i = 0; !is_stopping.load(); ++i) {
      EXPECT_TRUE(pool.SetNumThreads(1 + static_cast<int>(i * 7 % 4)).ok());
      EXPECT_TRUE(pool.SetPriority(i % 2 == 0 ? ThreadPriority::kLow
                                              : ThreadPriority::kNormal)
                      .ok());
    }
  });

  for (int loop = 0; loop < 3000; ++loop) {
    const int num_tasks = 1 + loop % 9;
    ASSERT_EQ(CountRuns(pool, num_tasks),
              std::vector<int>(static_cast<size_t>(num_tasks), 1));
  }
  is_stopping.store(true);
  changer.join();
}

TEST(HostsExecutor, LeavesThreadsToTheHost) {
  class InOrder final : public Executor {
   public:
    int num_workers() const override { return 1; }
    void Run(int num_tasks, absl::FunctionRef<void(int task)> task) override {
      for (int i = 0; i < num_tasks; ++i) task(i);
    }
  } executor;

  EXPECT_EQ(executor.SetNumThreads(1).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(executor.SetPriority(ThreadPriority::kLow).code(),
            absl::StatusCode::kFailedPrecondition);
}

#if defined(__linux__)
// The niceness of each thread of `pool`, its caller first; 100 and more: of the
// idle class.
std::vector<int> Niceness(ThreadPool& pool) {
  std::vector<int> niceness(static_cast<size_t>(pool.num_threads()));
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int> num_inside{0};
  pool.Run(pool.num_threads(), [&](int) {
    const int arrival = num_inside.fetch_add(1);
    while (num_inside.load() < pool.num_threads()) std::this_thread::yield();
    const bool is_idle = sched_getscheduler(0) == SCHED_IDLE;
    niceness[static_cast<size_t>(arrival)] =
        (is_idle ? 100 : 0) + getpriority(PRIO_PROCESS, 0) +
        (std::this_thread::get_id() == caller ? 1000 : 0);
  });
  std::sort(niceness.rbegin(), niceness.rend());
  niceness[0] -= 1000;
  return niceness;
}

TEST(ThreadPriority, IsOfTheWorkersAndNotOfTheCaller) {
  ThreadPool pool(2);
  const int normal = getpriority(PRIO_PROCESS, 0);

  ASSERT_TRUE(pool.SetPriority(ThreadPriority::kLow).ok());

  EXPECT_EQ(pool.priority(), ThreadPriority::kLow);
  EXPECT_EQ(Niceness(pool),
            (std::vector<int>{normal, std::min(normal + 10, 19)}));
}

TEST(ThreadPriority, IdleIsAClassOfItsOwn) {
  ThreadPool pool(2);

  ASSERT_TRUE(pool.SetPriority(ThreadPriority::kIdle).ok());

  // Niceness is -20 to 19; the idle class counts 100 more.
  EXPECT_LT(Niceness(pool)[0], 80);
  EXPECT_GE(Niceness(pool)[1], 80);
}

TEST(ThreadPriority, IsThatOfThreadsAddedLater) {
  ThreadPool pool(3);
  const int normal = getpriority(PRIO_PROCESS, 0);
  ASSERT_TRUE(pool.SetNumThreads(1).ok());
  ASSERT_TRUE(pool.SetPriority(ThreadPriority::kLow).ok());

  ASSERT_TRUE(pool.SetNumThreads(3).ok());

  const int low = std::min(normal + 10, 19);
  EXPECT_EQ(Niceness(pool), (std::vector<int>{normal, low, low}));
}

// Ends its process: 0 if all is as it should be for somebody without
// privileges, otherwise the number of the expectation that failed.
void ChangePrioritiesAsNobody() {
  constexpr uid_t kNobody = 65534;
  const rlimit no_raising = {0, 0};
  if (getuid() == 0 && setuid(kNobody) != 0) _exit(1);
  if (setrlimit(RLIMIT_NICE, &no_raising) != 0) _exit(2);
  ThreadPool pool(2);
  const int normal = getpriority(PRIO_PROCESS, 0);
  if (pool.SetPriority(ThreadPriority::kHigh).code() !=
      absl::StatusCode::kPermissionDenied)
    _exit(3);
  if (pool.priority() != ThreadPriority::kNormal) _exit(4);
  if (Niceness(pool) != std::vector<int>{normal, normal}) _exit(5);
  if (!pool.SetPriority(ThreadPriority::kIdle).ok()) _exit(6);
  if (!pool.SetPriority(ThreadPriority::kNormal).ok()) _exit(7);
  if (Niceness(pool) != std::vector<int>{normal, normal}) _exit(8);
  if (!pool.SetPriority(ThreadPriority::kLow).ok()) _exit(9);
  if (pool.SetPriority(ThreadPriority::kHigh).ok()) _exit(10);
  if (Niceness(pool) != std::vector<int>{normal, std::min(normal + 10, 19)})
    _exit(11);
  _exit(0);
}

TEST(ThreadPriority, GoesBackToNormalWithoutPrivileges) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(ChangePrioritiesAsNobody(), testing::ExitedWithCode(0), "");
}
#endif

TEST(NumUsableCpus, IsAtLeastOneAndNoMoreThanThereAre) {
  EXPECT_GE(NumUsableCpus(), 1);
  EXPECT_LE(NumUsableCpus(),
            static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace specinfer
