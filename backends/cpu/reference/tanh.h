// tanh by our own exp, for the tanh form of GELU and for soft caps. Absolute
// error below 2e-7.
#ifndef SPECINFER_BACKENDS_CPU_REFERENCE_TANH_H_
#define SPECINFER_BACKENDS_CPU_REFERENCE_TANH_H_

#include <cmath>

#include "src/base/scalar_math.h"

namespace specinfer::cpu {

inline float Tanh(float x) {
  const float e = Exp(std::fabs(x) * -2.0f);
  return std::copysign((1.0f - e) / (1.0f + e), x);
}

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_REFERENCE_TANH_H_
