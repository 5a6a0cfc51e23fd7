#include "src/speech/power_spectrum.h"

#include <numbers>

#include "src/base/scalar_math.h"

namespace specinfer {
namespace {

constexpr int kLanes = PowerSpectrum::kLanes;
// A complex point of all frames: kLanes real parts, then kLanes imaginary ones.
constexpr int kPoint = 2 * kLanes;

struct Twiddle {
  float re;
  float im;
};

// One complex number in one lane.
struct Complex {
  float re;
  float im;
};

inline Complex operator+(Complex a, Complex b) {
  return {a.re + b.re, a.im + b.im};
}
inline Complex operator-(Complex a, Complex b) {
  return {a.re - b.re, a.im - b.im};
}
inline Complex operator*(Complex a, Twiddle w) {
  return {a.re * w.re - a.im * w.im, a.re * w.im + a.im * w.re};
}
inline Complex operator*(Complex a, float scale) {
  return {a.re * scale, a.im * scale};
}
inline Complex TimesMinusI(Complex a) { return {a.im, -a.re}; }

inline Complex Load(const float* point, int lane) {
  return {point[lane], point[lane + kLanes]};
}
inline void Store(Complex value, float* point, int lane) {
  point[lane] = value.re;
  point[lane + kLanes] = value.im;
}

// y[k] = sum over j of x[j] e^(-2 pi i j k / 5); Winograd's sums and
// differences.
inline void Transform5(const Complex (&x)[5], Complex (&y)[5]) {
  constexpr float kCos1 = 0.30901699437494745f, kSin1 = 0.95105651629515357f;
  constexpr float kCos2 = -0.80901699437494745f, kSin2 = 0.58778525229247314f;
  const Complex sum1 = x[1] + x[4], difference1 = x[1] - x[4];
  const Complex sum2 = x[2] + x[3], difference2 = x[2] - x[3];
  const Complex even1 = x[0] + sum1 * kCos1 + sum2 * kCos2;
  const Complex even2 = x[0] + sum1 * kCos2 + sum2 * kCos1;
  const Complex odd1 = TimesMinusI(difference1 * kSin1 + difference2 * kSin2);
  const Complex odd2 = TimesMinusI(difference1 * kSin2 - difference2 * kSin1);
  y[0] = x[0] + sum1 + sum2;
  y[1] = even1 + odd1;
  y[2] = even2 + odd2;
  y[3] = even2 - odd2;
  y[4] = even1 - odd1;
}

inline void Transform4(Complex x0, Complex x1, Complex x2, Complex x3,
                       Complex (&y)[4]) {
  const Complex even = x0 + x2, even_difference = x0 - x2;
  const Complex odd = x1 + x3, odd_difference = TimesMinusI(x1 - x3);
  y[0] = even + odd;
  y[1] = even_difference + odd_difference;
  y[2] = even - odd;
  y[3] = even_difference - odd_difference;
}

inline void Transform8(const Complex (&x)[8], Complex (&y)[8]) {
  constexpr float kHalfRoot = 0.70710678118654752f;
  Complex even[4], odd[4];
  Transform4(x[0], x[2], x[4], x[6], even);
  Transform4(x[1], x[3], x[5], x[7], odd);
  odd[1] = (odd[1] + TimesMinusI(odd[1])) * kHalfRoot;
  odd[2] = TimesMinusI(odd[2]);
  odd[3] = (TimesMinusI(odd[3]) - odd[3]) * kHalfRoot;
  for (int k = 0; k < 4; ++k) {
    y[k] = even[k] + odd[k];
    y[k + 4] = even[k] - odd[k];
  }
}

template <int kRadix>
inline void Transform(const Complex (&x)[kRadix], Complex (&y)[kRadix]) {
  if constexpr (kRadix == 5) {
    Transform5(x, y);
  } else {
    Transform8(x, y);
  }
}

// One stage of Stockham's self-sorting transform of kLength * kStride points,
// of which kStride interleaved transforms of kLength are left to do.
template <int kRadix, int kLength, int kStride>
void Stage(const float* __restrict in, const float* cosines, const float* sines,
           float* __restrict out) {
  constexpr int kPart = kLength / kRadix;
  constexpr int kTableStep = PowerSpectrum::kFrameSamples / kLength;
  for (int p = 0; p < kPart; ++p) {
    Twiddle twiddles[kRadix];
    for (int k = 0; k < kRadix; ++k) {
      twiddles[k] = {cosines[p * k * kTableStep], -sines[p * k * kTableStep]};
    }
    for (int q = 0; q < kStride; ++q) {
      const float* from = in + (q + kStride * p) * kPoint;
      float* to = out + (q + kStride * kRadix * p) * kPoint;
      for (int lane = 0; lane < kLanes; ++lane) {
        Complex x[kRadix], y[kRadix];
        for (int j = 0; j < kRadix; ++j)
          x[j] = Load(from + j * kStride * kPart * kPoint, lane);
        Transform<kRadix>(x, y);
        Store(y[0], to, lane);
        for (int k = 1; k < kRadix; ++k) {
          Store(kPart == 1 ? y[k] : y[k] * twiddles[k],
                to + k * kStride * kPoint, lane);
        }
      }
    }
  }
}

}  // namespace

PowerSpectrum::PowerSpectrum() {
  for (int k = 0; k < kFrameSamples; ++k) {
    const SinCos angle =
        ComputeSinCos(2.0 * std::numbers::pi * k / kFrameSamples);
    cos_[k] = angle.cos;
    sin_[k] = angle.sin;
    // 0.5 - 0.5 cos a = sin^2(a / 2), which keeps its digits near 0.
    const double sine = ComputeSinCos(std::numbers::pi * k / kFrameSamples).sin;
    window_[k] = static_cast<float>(sine * sine);
  }
}

void PowerSpectrum::Compute(const float* samples, int hop, Scratch& scratch,
                            float* power) const {
  // The frame as 200 complex numbers: even samples real, odd ones imaginary.
  for (int n = 0; n < kFrameSamples; ++n) {
    for (int lane = 0; lane < kLanes; ++lane)
      scratch.a[n * kLanes + lane] = samples[lane * hop + n] * window_[n];
  }
  Stage<8, 200, 1>(scratch.a, cos_.data(), sin_.data(), scratch.b);
  Stage<5, 25, 8>(scratch.b, cos_.data(), sin_.data(), scratch.a);
  Stage<5, 5, 40>(scratch.a, cos_.data(), sin_.data(), scratch.b);
  // X[k] = E + w^k O and X[200 - k] = conj(E - w^k O), where E and O are the
  // transforms of the even and the odd samples.
  for (int k = 0; k <= kHalf / 2; ++k) {
    const Twiddle w = {cos_[k], -sin_[k]};
    const float* front = scratch.b + k * kPoint;
    const float* back = scratch.b + (k == 0 ? 0 : kHalf - k) * kPoint;
    float* low = power + k * kLanes;
    float* high = power + (kHalf - k) * kLanes;
    for (int lane = 0; lane < kLanes; ++lane) {
      const Complex z = Load(front, lane);
      const Complex mirrored = {back[lane], -back[lane + kLanes]};
      const Complex even = (z + mirrored) * 0.5f;
      const Complex odd = TimesMinusI(z - mirrored) * 0.5f * w;
      const Complex sum = even + odd, difference = even - odd;
      low[lane] = sum.re * sum.re + sum.im * sum.im;
      high[lane] =
          difference.re * difference.re + difference.im * difference.im;
    }
  }
}

}  // namespace specinfer
