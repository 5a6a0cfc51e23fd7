// exp, log, sin and cos of our own: one sequence of operations for every host
// and instruction set. Vector kernels repeat these sequences lane by lane, so
// their bits are equal.
#ifndef SPECINFER_SRC_BASE_SCALAR_MATH_H_
#define SPECINFER_SRC_BASE_SCALAR_MATH_H_

#include <bit>
#include <cmath>
#include <cstdint>

namespace specinfer {

// e^x within 2 units in the last place for x in [-87, 88]; 0 below -87 (also
// for -infinity), clamped above 88. NaN gives NaN.
inline float Exp(float x) {
  if (!(x >= -87.0f)) return x != x ? x : 0.0f;
  if (x > 88.0f) x = 88.0f;
  const float n = std::nearbyintf(x * 1.44269504088896341f);
  float r = std::fmaf(n, -0.693145751953125f, x);
  r = std::fmaf(n, -1.42860682030941723e-6f, r);
  float p = 1.9875691500e-4f;  // Cephes expf
  p = std::fmaf(p, r, 1.3981999507e-3f);
  p = std::fmaf(p, r, 8.3334519073e-3f);
  p = std::fmaf(p, r, 4.1665795894e-2f);
  p = std::fmaf(p, r, 1.6666665459e-1f);
  p = std::fmaf(p, r, 5.0000001201e-1f);
  p = std::fmaf(p, r * r, r) + 1.0f;
  return p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

// ln x for finite x > 0 that is not denormal, within 2 units in the last place.
inline float Log(float x) {
  uint32_t bits = std::bit_cast<uint32_t>(x);
  int32_t exponent = static_cast<int32_t>(bits >> 23) - 126;
  float m =
      std::bit_cast<float>((bits & 0x007fffffu) | 0x3f000000u);  // [0.5, 1)
  if (m < 0.707106781186547524f) {
    exponent -= 1;
    m = m + m;
  }
  m = m - 1.0f;
  const float z = m * m;
  float p = 7.0376836292e-2f;  // Cephes logf
  p = std::fmaf(p, m, -1.1514610310e-1f);
  p = std::fmaf(p, m, 1.1676998740e-1f);
  p = std::fmaf(p, m, -1.2420140846e-1f);
  p = std::fmaf(p, m, 1.4249322787e-1f);
  p = std::fmaf(p, m, -1.6668057665e-1f);
  p = std::fmaf(p, m, 2.0000714765e-1f);
  p = std::fmaf(p, m, -2.4999993993e-1f);
  p = std::fmaf(p, m, 3.3333331174e-1f);
  float y = p * m * z;
  const float e = static_cast<float>(exponent);
  y = std::fmaf(e, -2.12194440e-4f, y);
  y = std::fmaf(-0.5f, z, y);
  y = m + y;
  return std::fmaf(e, 0.693359375f, y);
}

struct SinCos {
  float sin;
  float cos;
};

// Of an angle in radians, |angle| < 2^30: reduced in double precision by
// multiples of pi/2, then Taylor polynomials of degree 13 and 14 (error below
// 1e-12), rounded once to float.
inline SinCos ComputeSinCos(double angle) {
  const double n = std::nearbyint(angle * 0.63661977236758134308);
  double r = std::fma(n, -1.57079632679489655800, angle);
  r = std::fma(n, -6.12323399573676603587e-17, r);
  const double z = r * r;
  double s = 1.60590438368216146e-10;
  s = std::fma(s, z, -2.50521083854417188e-8);
  s = std::fma(s, z, 2.75573192239858907e-6);
  s = std::fma(s, z, -1.98412698412698413e-4);
  s = std::fma(s, z, 8.33333333333333333e-3);
  s = std::fma(s, z, -1.66666666666666667e-1);
  s = std::fma(s * z, r, r);
  double c = -1.14707455977297247e-11;
  c = std::fma(c, z, 2.08767569878680990e-9);
  c = std::fma(c, z, -2.75573192239858907e-7);
  c = std::fma(c, z, 2.48015873015873016e-5);
  c = std::fma(c, z, -1.38888888888888889e-3);
  c = std::fma(c, z, 4.16666666666666667e-2);
  c = std::fma(c, z, -0.5);
  c = std::fma(c, z, 1.0);
  const int64_t quadrant = static_cast<int64_t>(n) & 3;
  const double sine = quadrant == 0   ? s
                      : quadrant == 1 ? c
                      : quadrant == 2 ? -s
                                      : -c;
  const double cosine = quadrant == 0   ? c
                        : quadrant == 1 ? -s
                        : quadrant == 2 ? -c
                                        : s;
  return {static_cast<float>(sine), static_cast<float>(cosine)};
}

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_SCALAR_MATH_H_
