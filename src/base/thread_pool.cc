#include "src/base/thread_pool.h"

#include <system_error>

#include "src/base/clock.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace specinfer {
namespace {

constexpr int64_t kSpinMicros =
    60;  // longer than the gap between two ops of a pass
constexpr int kPausesPerLook = 32;

void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int num_threads) {
  if (num_threads <= 0) num_threads = NumUsableCpus();
  try {
    threads_.reserve(static_cast<size_t>(num_threads - 1));
    while (num_workers() < num_threads)
      threads_.emplace_back([this] { Work(); });
  } catch (const std::exception&) {  // fewer threads do the same work
  }
}

ThreadPool::~ThreadPool() {
  is_stopping_.store(true);
  Wake();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Run(int num_tasks, absl::FunctionRef<void(int task)> task) {
  if (num_tasks <= 1 || threads_.empty() ||
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
  int64_t spin_end_us = 0;
  while (num_unfinished_.load(std::memory_order_acquire) != 0) {
    for (int i = 0; i < kPausesPerLook; ++i) Pause();
    if (spin_end_us == 0) spin_end_us = NowMicros() + kSpinMicros;
    if (NowMicros() > spin_end_us) std::this_thread::yield();
  }
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
    num_unfinished_.fetch_sub(1, std::memory_order_release);
    unclaimed = num_unclaimed_.load(std::memory_order_acquire);
  }
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

void ThreadPool::WaitForWork(uint64_t seen_generation) {
  const int64_t spin_end_us = NowMicros() + kSpinMicros;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (generation_.load(std::memory_order_acquire) != seen_generation)
        return;
      Pause();
    }
  } while (NowMicros() < spin_end_us);
  std::unique_lock<std::mutex> lock(sleep_mutex_);
  num_sleeping_.fetch_add(1);
  wake_.wait(lock, [&] { return generation_.load() != seen_generation; });
  num_sleeping_.fetch_sub(1);
}

void ThreadPool::Work() {
  uint64_t seen_generation = 0;
  while (!is_stopping_.load(std::memory_order_acquire)) {
    WaitForWork(seen_generation);
    seen_generation = generation_.load(std::memory_order_acquire);
    RunClaimedTasks();
  }
}

}  // namespace specinfer
