#include "src/base/thread_priority.h"

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"

#if defined(__linux__)
#include <sched.h>
#include <unistd.h>

#include <sys/resource.h>
#include <sys/syscall.h>
#endif

namespace specinfer {

#if defined(__linux__)

namespace {

constexpr int kHighStep = -5;
constexpr int kLowStep = 10;
constexpr int kLeastNice = -20;
constexpr int kMostNice = 19;

int NiceOfThread(pid_t thread) {
  errno = 0;
  const int nice = getpriority(PRIO_PROCESS, static_cast<id_t>(thread));
  return errno == 0 ? nice : 0;
}

absl::Status Refused(int error) {
  if (error == ESRCH) return absl::OkStatus();  // it has ended: nothing to do
  return absl::PermissionDeniedError(absl::StrCat(
      "the system does not let this process raise a thread's priority (error ",
      error, "); give it CAP_SYS_NICE or a higher RLIMIT_NICE"));
}

}  // namespace

ThreadId CurrentThreadId() {
  return static_cast<ThreadId>(syscall(SYS_gettid));
}

NormalSchedule ScheduleOfCaller() {
  const int policy = sched_getscheduler(0);
  const bool is_shared = policy == SCHED_BATCH || policy == SCHED_IDLE;
  return {.policy = is_shared ? policy : SCHED_OTHER, .nice = NiceOfThread(0)};
}

absl::Status SetThreadPriority(ThreadId thread, ThreadPriority priority,
                               const NormalSchedule& normal) {
  const pid_t id = static_cast<pid_t>(thread);
  const int policy =
      priority == ThreadPriority::kIdle ? SCHED_IDLE : normal.policy;
  const int step = priority == ThreadPriority::kHigh  ? kHighStep
                   : priority == ThreadPriority::kLow ? kLowStep
                                                      : 0;
  const int nice = std::clamp(normal.nice + step, kLeastNice, kMostNice);
  if (sched_getscheduler(id) != policy) {
    const sched_param none = {};
    if (sched_setscheduler(id, policy, &none) != 0) return Refused(errno);
  }
  if (NiceOfThread(id) != nice &&
      setpriority(PRIO_PROCESS, static_cast<id_t>(id), nice) != 0) {
    return Refused(errno);
  }
  return absl::OkStatus();
}

#else

ThreadId CurrentThreadId() { return 0; }

NormalSchedule ScheduleOfCaller() { return {}; }

absl::Status SetThreadPriority(ThreadId /*thread*/, ThreadPriority priority,
                               const NormalSchedule& /*normal*/) {
  if (priority == ThreadPriority::kNormal) return absl::OkStatus();
  return absl::UnimplementedError(
      "thread priorities are not supported on this operating system");
}

#endif

}  // namespace specinfer
