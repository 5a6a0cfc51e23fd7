// Where parallel work runs: our own pool (thread_pool.h) or the host's
// executor.
#ifndef SPECINFER_SRC_BASE_EXECUTOR_H_
#define SPECINFER_SRC_BASE_EXECUTOR_H_

#include "absl/functional/function_ref.h"

namespace specinfer {

// Thread-safe: several threads may call Run at once.
class Executor {
 public:
  virtual ~Executor() = default;

  // How many tasks can run at once, the caller's included; at least 1.
  virtual int num_workers() const = 0;

  // Runs task(0) … task(num_tasks - 1), each once, in any order and on any
  // threads, and returns when all have returned. Tasks never wait for each
  // other, so one worker is enough. Never fails: what cannot run elsewhere runs
  // on the caller.
  virtual void Run(int num_tasks, absl::FunctionRef<void(int task)> task) = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_EXECUTOR_H_
