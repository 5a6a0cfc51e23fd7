#include "src/base/thread_pool.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

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

TEST(ThreadPool, CountsItsCallerAsAWorker) {
  EXPECT_EQ(ThreadPool(1).num_workers(), 1);
  EXPECT_EQ(ThreadPool(3).num_workers(), 3);
}

TEST(ThreadPool, HasAWorkerForEachUsableCpuUnlessTold) {
  EXPECT_EQ(ThreadPool(0).num_workers(), NumUsableCpus());
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

TEST(NumUsableCpus, IsAtLeastOneAndNoMoreThanThereAre) {
  EXPECT_GE(NumUsableCpus(), 1);
  EXPECT_LE(NumUsableCpus(),
            static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace specinfer
