#include "src/base/executor.h"

namespace specinfer {

absl::Status Executor::SetNumThreads(int /*num_threads*/) {
  return absl::FailedPreconditionError(
      "the threads are the application's own (config->run_tasks): change their "
      "number there");
}

absl::Status Executor::SetPriority(ThreadPriority /*priority*/) {
  return absl::FailedPreconditionError(
      "the threads are the application's own (config->run_tasks): change their "
      "priority there");
}

}  // namespace specinfer
