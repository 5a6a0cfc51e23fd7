// The 16 virtual lanes of a canonical sum, and the fixed tree that adds them
// up.
#ifndef SPECINFER_BACKENDS_CPU_REFERENCE_LANES_H_
#define SPECINFER_BACKENDS_CPU_REFERENCE_LANES_H_

namespace specinfer::cpu {

inline constexpr int kLanes = 16;

// Lanes 8, 4, 2 and 1 apart. Overwrites the lanes.
inline float SumLanes(float (&lanes)[kLanes]) {
  for (int distance = kLanes / 2; distance > 0; distance /= 2) {
    for (int lane = 0; lane < distance; ++lane)
      lanes[lane] = lanes[lane] + lanes[lane + distance];
  }
  return lanes[0];
}

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_REFERENCE_LANES_H_
