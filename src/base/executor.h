// Where parallel work runs: our own pool (thread_pool.h) or the host's
// executor.
#ifndef SPECINFER_SRC_BASE_EXECUTOR_H_
#define SPECINFER_SRC_BASE_EXECUTOR_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "src/base/duty_cycle.h"
#include "src/base/thread_priority.h"

namespace specinfer {

// Thread-safe: several threads may call Run at once, and settings may be
// changed meanwhile.
class Executor {
 public:
  virtual ~Executor() = default;

  // How many tasks can run at once at most, the caller's included; at least 1.
  // Never changes: scratch memory is made for it.
  virtual int num_workers() const = 0;

  // Runs task(0) … task(num_tasks - 1), each once, in any order and on any
  // threads, and returns when all have returned. Tasks never wait for each
  // other, so one worker is enough. Never fails: what cannot run elsewhere runs
  // on the caller.
  virtual void Run(int num_tasks, absl::FunctionRef<void(int task)> task) = 0;

  // ---- Settings, from any thread at any time ----

  // The threads that compute, the caller's included: 1 to num_workers(). More
  // tasks than that at once have no use.
  virtual int num_threads() const { return num_workers(); }
  // Errors: INVALID_ARGUMENT (not in 1 … num_workers()), RESOURCE_EXHAUSTED (no
  // more threads to be had), FAILED_PRECONDITION (the threads are the host's).
  virtual absl::Status SetNumThreads(int num_threads);

  virtual ThreadPriority priority() const { return ThreadPriority::kNormal; }
  // Of the executor's own threads, never of its callers'. Errors:
  // PERMISSION_DENIED (nothing is changed), UNIMPLEMENTED,
  // FAILED_PRECONDITION (the threads are the host's).
  virtual absl::Status SetPriority(ThreadPriority priority);

  // Whoever runs loops in which pausing is possible asks it.
  DutyCycle& duty_cycle() { return duty_cycle_; }
  const DutyCycle& duty_cycle() const { return duty_cycle_; }

 private:
  DutyCycle duty_cycle_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_EXECUTOR_H_
