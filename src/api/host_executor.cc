#include "src/api/host_executor.h"

#include <atomic>

#include "src/base/float_control.h"

namespace specinfer {
namespace {

struct Loop {
  absl::FunctionRef<void(int task)> task;
  const int num_tasks;
  std::atomic<int> next_task{0};

  // Runs the next task that nobody has taken; false when none is left.
  bool RunNext() {
    const int index = next_task.fetch_add(1, std::memory_order_relaxed);
    if (index >= num_tasks) return false;
    const ScopedFloatControl
        float_control;  // the host's workers have settings of their own
    task(index);
    return true;
  }
};

// The host's index only says that one more task may run: whichever is next
// serves as well.
void RunOne(void* loop, uint32_t /*index*/) {
  static_cast<Loop*>(loop)->RunNext();
}

}  // namespace

void HostExecutor::Run(int num_tasks, absl::FunctionRef<void(int task)> task) {
  if (num_tasks <= 0) return;
  Loop loop{.task = task, .num_tasks = num_tasks};
  if (num_tasks > 1)
    run_tasks_(user_data_, static_cast<uint32_t>(num_tasks), &RunOne, &loop);
  while (loop.RunNext()) {
  }
}

}  // namespace specinfer
