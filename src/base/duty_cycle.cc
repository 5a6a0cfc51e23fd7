#include "src/base/duty_cycle.h"

#include <algorithm>
#include <cmath>

namespace specinfer {
namespace {

// A process that was stopped in the middle of a tile owes no more than this.
constexpr double kMaxDebtMicros = 4.0 * DutyCycle::kWindowMicros;

}  // namespace

// With this much at its begin, work lasts fraction · window, and the pause that
// earns it again the rest of the window.
double DutyCycle::MaxCredit(double fraction) const {
  return fraction * (1.0 - fraction) * static_cast<double>(kWindowMicros);
}

void DutyCycle::set_fraction(double fraction) {
  const std::lock_guard<std::mutex> lock(mutex_);
  fraction_.store(fraction, std::memory_order_relaxed);
  pause_end_us_ = 0;
  credit_us_ = std::min(credit_us_, MaxCredit(fraction));
}

void DutyCycle::Account(int64_t now_us) {
  const double elapsed_us =
      static_cast<double>(std::max<int64_t>(now_us - accounted_us_, 0));
  accounted_us_ = std::max(now_us, accounted_us_);
  credit_us_ += fraction() * elapsed_us;
  if (num_computing_ > 0) credit_us_ -= elapsed_us;
  credit_us_ = std::clamp(credit_us_, -kMaxDebtMicros, MaxCredit(fraction()));
}

bool DutyCycle::Begin(int64_t now_us) {
  if (fraction() >= 1.0) return false;
  const std::lock_guard<std::mutex> lock(mutex_);
  Account(now_us);
  ++num_computing_;
  return true;
}

void DutyCycle::End(int64_t now_us) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Account(now_us);
  --num_computing_;
}

int64_t DutyCycle::PauseEnd(int64_t now_us) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const double fraction = this->fraction();
  if (fraction >= 1.0) return 0;
  Account(now_us);
  if (now_us < pause_end_us_) return pause_end_us_;
  if (credit_us_ > 0.0) return 0;
  pause_end_us_ = now_us + static_cast<int64_t>(std::ceil(
                               (MaxCredit(fraction) - credit_us_) / fraction));
  return pause_end_us_;
}

}  // namespace specinfer
