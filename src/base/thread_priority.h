// How urgently the operating system runs a thread compared with others.
#ifndef SPECINFER_SRC_BASE_THREAD_PRIORITY_H_
#define SPECINFER_SRC_BASE_THREAD_PRIORITY_H_

#include <cstdint>

#include "absl/status/status.h"

namespace specinfer {

enum class ThreadPriority : int32_t { kNormal, kHigh, kLow, kIdle };

// A thread of this process, as the operating system calls it.
using ThreadId = int64_t;
ThreadId CurrentThreadId();

// What ThreadPriority::kNormal means, in the operating system's numbers.
struct NormalSchedule {
  int policy = 0;
  int nice = 0;
};
// That of the calling thread; time-shared where the thread is a real-time one.
NormalSchedule ScheduleOfCaller();

// kHigh is a nice value of 5 less than normal, kLow of 10 more, kIdle the class
// that gets only what nobody else wants. Errors: PERMISSION_DENIED (the thread
// keeps its priority), UNIMPLEMENTED (this operating system).
absl::Status SetThreadPriority(ThreadId thread, ThreadPriority priority,
                               const NormalSchedule& normal);

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_THREAD_PRIORITY_H_
