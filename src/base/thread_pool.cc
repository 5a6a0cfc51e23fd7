#include "src/base/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"

#include "src/base/clock.h"
#include "src/base/status_macros.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace specinfer {
namespace {

// Longer than the gap between two ops of a pass, and than most ends of a loop.
constexpr int64_t kSpinNanos = 60000;
constexpr int kPausesPerLook = 32;

void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

int64_t NowNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Spins until `is_done()` or the end of `spin_ns`; gives what is_done() said.
template <typename IsDone>
bool Spin(int64_t begin_ns, int64_t spin_ns, IsDone is_done) {
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (is_done()) return true;
      Pause();
    }
  } while (NowNanos() - begin_ns < spin_ns);
  return is_done();
}

}  // namespace

ThreadPool::ThreadPool(int num_threads)
    : max_threads_(std::max(num_threads, NumUsableCpus())),
      usable_cpus_(NumUsableCpus()),
      normal_(ScheduleOfCaller()) {
  const std::lock_guard<std::mutex> lock(settings_mutex_);
  workers_.reserve(static_cast<size_t>(max_threads_));
  // Fewer threads do the same work.
  StartWorkers(num_threads > 0 ? num_threads : usable_cpus_).IgnoreError();
}

ThreadPool::~ThreadPool() {
  const std::lock_guard<std::mutex> lock(settings_mutex_);
  StopWorkers(1);
}

absl::Status ThreadPool::StartWorker() {
  auto worker = std::make_unique<Worker>();
  try {
    worker->thread = std::thread([this, self = worker.get()] { Work(*self); });
  } catch (const std::exception&) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the system gives this process no more threads; ",
                     num_threads(), " compute"));
  }
  while (worker->id.load(std::memory_order_acquire) == 0)
    std::this_thread::yield();
  workers_.push_back(std::move(worker));
  // A new thread has its starter's priority, whoever that is.
  return SetThreadPriority(workers_.back()->id.load(), priority(), normal_);
}

absl::Status ThreadPool::StartWorkers(int num_threads) {
  absl::Status status;
  while (status.ok() && static_cast<int>(workers_.size()) + 1 < num_threads) {
    const int num_before = this->num_threads();
    status = StartWorker();
    num_threads_.store(static_cast<int>(workers_.size()) + 1);
    if (!status.ok()) StopWorkers(num_before);
  }
  return status;
}

void ThreadPool::StopWorkers(int num_threads) {
  num_threads_.store(std::min(num_threads, this->num_threads()));
  const size_t num_left = static_cast<size_t>(num_threads) - 1;
  for (size_t i = num_left; i < workers_.size(); ++i)
    workers_[i]->is_stopping.store(true);
  Wake();
  while (workers_.size() > num_left) {
    workers_.back()->thread.join();
    workers_.pop_back();
  }
}

absl::Status ThreadPool::SetNumThreads(int num_threads) {
  if (num_threads < 1 || num_threads > max_threads_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "num_threads is ", num_threads, ", must be 1 to ", max_threads_,
        " (what the engine was created with, or the CPUs this process may use "
        "if they are more)"));
  }
  const std::lock_guard<std::mutex> lock(settings_mutex_);
  if (num_threads < this->num_threads()) {
    StopWorkers(num_threads);
    return absl::OkStatus();
  }
  return StartWorkers(num_threads);
}

absl::Status ThreadPool::ApplyPriority(ThreadPriority priority) {
  for (const std::unique_ptr<Worker>& worker : workers_) {
    SPECINFER_RETURN_IF_ERROR(
        SetThreadPriority(worker->id.load(), priority, normal_));
  }
  return absl::OkStatus();
}

// Only a privileged process may raise what it has lowered, but threads that it
// starts anew have the priority of the thread that starts them.
absl::Status ThreadPool::SetPriority(ThreadPriority priority) {
  const std::lock_guard<std::mutex> lock(settings_mutex_);
  const ThreadPriority old_priority = this->priority();
  const int num_threads = this->num_threads();
  absl::Status status = ApplyPriority(priority);
  priority_.store(priority);
  if (status.ok()) return status;
  if (priority != ThreadPriority::kHigh) {
    StopWorkers(1);
    status = StartWorkers(num_threads);
    if (status.ok()) return status;
  }
  priority_.store(old_priority);
  ApplyPriority(old_priority).IgnoreError();
  StartWorkers(num_threads).IgnoreError();
  return status;
}

void ThreadPool::Run(int num_tasks, absl::FunctionRef<void(int task)> task) {
  if (num_tasks <= 1 || num_threads() == 1 ||
      is_busy_.exchange(true, std::memory_order_acquire)) {
    for (int i = 0; i < num_tasks; ++i) task(i);
    return;
  }
  task_ = &task;
  num_tasks_ = num_tasks;
  num_unfinished_.store(num_tasks, std::memory_order_relaxed);
  num_unclaimed_.store(num_tasks, std::memory_order_release);
  Wake();
  RunClaimedTasks();
  WaitForOthers();
  is_busy_.store(false, std::memory_order_release);
}

void ThreadPool::RunClaimedTasks() {
  int unclaimed = num_unclaimed_.load(std::memory_order_acquire);
  while (unclaimed > 0) {
    if (!num_unclaimed_.compare_exchange_weak(unclaimed, unclaimed - 1,
                                              std::memory_order_acq_rel,
                                              std::memory_order_acquire)) {
      continue;
    }
    (*task_)(num_tasks_ - unclaimed);
    // Sequentially consistent with the caller's look after it announced that it
    // sleeps: one of the two sees the other.
    if (num_unfinished_.fetch_sub(1) == 1 && is_caller_asleep_.load()) {
      { const std::lock_guard<std::mutex> lock(sleep_mutex_); }
      finished_.notify_one();
    }
    unclaimed = num_unclaimed_.load(std::memory_order_acquire);
  }
}

// A caller that sleeps leaves its CPU to the worker it waits for, if that lost
// its own; one that spins or yields would wait for a slice of the scheduler.
void ThreadPool::WaitForOthers() {
  const auto is_finished = [&] { return num_unfinished_.load() == 0; };
  const bool may_spin = num_threads() <= usable_cpus_;
  if (Spin(NowNanos(), may_spin ? kSpinNanos : 0, is_finished)) return;
  std::unique_lock<std::mutex> lock(sleep_mutex_);
  is_caller_asleep_.store(true);
  finished_.wait(lock, is_finished);
  is_caller_asleep_.store(false);
}

// A sleeper counts itself before it looks at the generation; the waker changes
// the generation before it looks at the count. Whichever comes second sees the
// other, so no wake-up is lost.
void ThreadPool::Wake() {
  generation_.fetch_add(1);
  if (num_sleeping_.load() == 0) return;
  { std::lock_guard<std::mutex> lock(sleep_mutex_); }
  wake_.notify_all();
}

// Spins only where that is likely to meet the next loop: not after a long wait,
// and not where more threads compute than there are CPUs.
void ThreadPool::WaitForWork(const Worker& self, uint64_t seen_generation,
                             bool* spins) {
  const int64_t begin_ns = NowNanos();
  const auto is_over = [&] {
    return generation_.load(std::memory_order_acquire) != seen_generation ||
           self.is_stopping.load(std::memory_order_acquire);
  };
  const bool may_spin = *spins && num_threads() <= usable_cpus_;
  if (Spin(begin_ns, may_spin ? kSpinNanos : 0, is_over)) return;
  std::unique_lock<std::mutex> lock(sleep_mutex_);
  num_sleeping_.fetch_add(1);
  wake_.wait(lock, [&] { return generation_.load() != seen_generation; });
  num_sleeping_.fetch_sub(1);
  lock.unlock();
  *spins = NowNanos() - begin_ns < 2 * kSpinNanos;
}

void ThreadPool::Work(Worker& self) {
  self.id.store(CurrentThreadId(), std::memory_order_release);
  uint64_t seen_generation = 0;
  bool spins = true;
  while (!self.is_stopping.load(std::memory_order_acquire)) {
    WaitForWork(self, seen_generation, &spins);
    seen_generation = generation_.load(std::memory_order_acquire);
    RunClaimedTasks();
  }
}

}  // namespace specinfer
