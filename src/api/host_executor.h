// The host's `run_tasks` as an Executor.
#ifndef SPECINFER_SRC_API_HOST_EXECUTOR_H_
#define SPECINFER_SRC_API_HOST_EXECUTOR_H_

#include <cstdint>

#include "src/base/executor.h"

namespace specinfer {

// Each task runs once even where the host calls with the wrong indices, too
// often, or not often enough.
class HostExecutor final : public Executor {
 public:
  using RunTasks = void (*)(void* user_data, uint32_t num_tasks,
                            void (*task)(void* task_data, uint32_t index),
                            void* task_data);

  HostExecutor(RunTasks run_tasks, void* user_data, int num_workers)
      : run_tasks_(run_tasks),
        user_data_(user_data),
        num_workers_(num_workers) {}

  int num_workers() const override { return num_workers_; }
  void Run(int num_tasks, absl::FunctionRef<void(int task)> task) override;

 private:
  const RunTasks run_tasks_;
  void* const user_data_;
  const int num_workers_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_API_HOST_EXECUTOR_H_
