// Our own executor: workers that spin briefly for the next loop, then sleep.
#ifndef SPECINFER_SRC_BASE_THREAD_POOL_H_
#define SPECINFER_SRC_BASE_THREAD_POOL_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "src/base/executor.h"
#include "src/base/usable_cpus.h"

namespace specinfer {

class ThreadPool final : public Executor {
 public:
  // `num_threads` counts the caller of Run, so 1 starts no thread. 0:
  // NumUsableCpus(). A thread that cannot be started is done without. The
  // priority of the calling thread is what ThreadPriority::kNormal means.
  explicit ThreadPool(int num_threads);
  ~ThreadPool() override;

  // The greater of what the constructor was given and the usable CPUs.
  int num_workers() const override { return max_threads_; }

  // A loop that arrives while another caller's is running (also from inside a
  // task) runs on its own caller's thread alone.
  void Run(int num_tasks, absl::FunctionRef<void(int task)> task) override;

  int num_threads() const override {
    return num_threads_.load(std::memory_order_relaxed);
  }
  // Not from inside a task. Threads too many finish their task and end.
  absl::Status SetNumThreads(int num_threads) override;

  ThreadPriority priority() const override {
    return priority_.load(std::memory_order_relaxed);
  }
  // Not from inside a task. Where the system refuses to raise threads again
  // that were lowered, new ones take their place.
  absl::Status SetPriority(ThreadPriority priority) override;

 private:
  using Task = absl::FunctionRef<void(int task)>;
  struct Worker {
    std::thread thread;
    std::atomic<bool> is_stopping{false};
    std::atomic<ThreadId> id{0};  // 0: not yet known
  };

  // Of whoever holds settings_mutex_.
  absl::Status StartWorkers(int num_threads);
  void StopWorkers(int num_threads);
  absl::Status StartWorker();
  absl::Status ApplyPriority(ThreadPriority priority);

  void Work(Worker& self);
  void RunClaimedTasks();
  void WaitForWork(const Worker& self, uint64_t seen_generation, bool* spins);
  void WaitForOthers();
  void Wake();

  const int max_threads_;
  const int usable_cpus_;
  const NormalSchedule normal_;

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
      0};  // counts loops; a change means there is work, or an end
  std::mutex sleep_mutex_;  // never taken while everybody spins
  std::condition_variable wake_;
  std::atomic<int> num_sleeping_{0};
  std::condition_variable finished_;
  std::atomic<bool> is_caller_asleep_{false};

  std::mutex settings_mutex_;  // of the threads and their priority
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<int> num_threads_{1};  // workers_.size() + 1
  std::atomic<ThreadPriority> priority_{ThreadPriority::kNormal};
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_THREAD_POOL_H_
