// Monotonic time.
#ifndef SPECINFER_SRC_BASE_CLOCK_H_
#define SPECINFER_SRC_BASE_CLOCK_H_

#include <chrono>
#include <cstdint>

namespace specinfer {

// Microseconds since some fixed moment.
inline int64_t NowMicros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline constexpr int64_t kNoDeadline = INT64_MAX;

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_CLOCK_H_
