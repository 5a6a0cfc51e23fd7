// Our own executor: workers that spin briefly for the next loop, then sleep.
#ifndef SPECINFER_SRC_BASE_THREAD_POOL_H_
#define SPECINFER_SRC_BASE_THREAD_POOL_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "src/base/executor.h"

namespace specinfer {

// CPUs this process may use: affinity and the cgroup's quota considered; at
// least 1.
int NumUsableCpus();

class ThreadPool final : public Executor {
 public:
  // `num_threads` counts the caller of Run, so 1 starts no thread. 0:
  // NumUsableCpus(). A thread that cannot be started is done without.
  explicit ThreadPool(int num_threads);
  ~ThreadPool() override;

  int num_workers() const override {
    return static_cast<int>(threads_.size()) + 1;
  }

  // A loop that arrives while another caller's is running (also from inside a
  // task) runs on its own caller's thread alone.
  void Run(int num_tasks, absl::FunctionRef<void(int task)> task) override;

 private:
  using Task = absl::FunctionRef<void(int task)>;
  void Work();
  void RunClaimedTasks();
  void WaitForWork(uint64_t seen_generation);
  void Wake();

  // One loop at a time: is_busy_ is held by the caller whose loop the workers
  // serve. task_ and num_tasks_ belong to that loop; they may be read only by
  // whoever has claimed one of its tasks and has not finished it, since until
  // then the loop cannot end.
  std::atomic<bool> is_busy_{false};
  const Task* task_ = nullptr;
  int num_tasks_ = 0;
  std::atomic<int> num_unclaimed_{0};
  std::atomic<int> num_unfinished_{0};

  std::atomic<uint64_t> generation_{
      0};  // counts loops; a change means there is work
  std::atomic<bool> is_stopping_{false};
  std::mutex sleep_mutex_;  // never taken while everybody spins
  std::condition_variable wake_;
  std::atomic<int> num_sleeping_{0};
  std::vector<std::thread> threads_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_THREAD_POOL_H_
