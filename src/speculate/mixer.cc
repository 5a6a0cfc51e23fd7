#include "src/speculate/mixer.h"

#include <algorithm>
#include <cmath>

namespace specinfer {
namespace {

constexpr double kLeast = 1.0 / 1024.0;
constexpr double kRate = 0.02;

double Logit(double probability) {
  const double p = std::clamp(probability, kLeast, 1.0 - kLeast);
  return std::log(p / (1.0 - p));
}

}  // namespace

double Mixer::Mix(double first, double second) const {
  const double logit =
      first_weight_ * Logit(first) + second_weight_ * Logit(second);
  return 1.0 / (1.0 + std::exp(-logit));
}

void Mixer::Learn(double first, double second, bool is_true) {
  const double step = kRate * ((is_true ? 1.0 : 0.0) - Mix(first, second));
  first_weight_ += step * Logit(first);
  second_weight_ += step * Logit(second);
}

}  // namespace specinfer
