// Standard floating-point behaviour inside a task, whatever the host has set
// (games set flush-to-zero).
#ifndef SPECINFER_SRC_BASE_FLOAT_CONTROL_H_
#define SPECINFER_SRC_BASE_FLOAT_CONTROL_H_

#include <cstdint>

namespace specinfer {

// Sets round-to-nearest, denormals kept, exceptions masked; restores the
// thread's own setting at the end.
class ScopedFloatControl {
 public:
  ScopedFloatControl();
  ~ScopedFloatControl();
  ScopedFloatControl(const ScopedFloatControl&) = delete;
  ScopedFloatControl& operator=(const ScopedFloatControl&) = delete;

 private:
  uint64_t saved_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_FLOAT_CONTROL_H_
