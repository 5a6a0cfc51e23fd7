// At most a share of the time is computed: for batteries, heat, and games.
#ifndef SPECINFER_SRC_BASE_DUTY_CYCLE_H_
#define SPECINFER_SRC_BASE_DUTY_CYCLE_H_

#include <atomic>
#include <cstdint>
#include <mutex>

namespace specinfer {

// Counts the wall time in which at least one loop computes. Credit grows by
// `fraction` microseconds in each microsecond and shrinks by one in each that
// is computed; when it is used up, everybody pauses. A time of rest earns no
// more than one window's work. Thread-safe.
class DutyCycle {
 public:
  // One round of work and pause: shorter than a person notices.
  static constexpr int64_t kWindowMicros = 30000;
  static constexpr double kLeastFraction = 0.01;

  // `fraction` in [kLeastFraction, 1]; 1: no pauses, also for those who are
  // pausing. Loops that have begun without a limit end without.
  void set_fraction(double fraction);
  double fraction() const { return fraction_.load(std::memory_order_relaxed); }

  // A loop begins. False: there is no limit, and the loop calls nothing else.
  bool Begin(int64_t now_us);
  // REQUIRES: Begin returned true.
  void End(int64_t now_us);
  // Until when not to compute: a moment after `now_us`, or 0 to go on.
  int64_t PauseEnd(int64_t now_us);

 private:
  void Account(int64_t now_us);
  double MaxCredit(double fraction) const;

  std::atomic<double> fraction_{1.0};
  std::mutex mutex_;  // of what follows
  int num_computing_ = 0;
  int64_t accounted_us_ = 0;  // credit is that of this moment
  double credit_us_ = 0.0;
  int64_t pause_end_us_ = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_DUTY_CYCLE_H_
