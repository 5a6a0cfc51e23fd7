// Exp and Tanh on 16 lanes: the sequences of src/base/scalar_math.h and
// reference/tanh.h, lane by lane. Included at the end of vec16_<isa>.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_VEC16_MATH_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_VEC16_MATH_INL_H_

namespace specinfer::cpu {
namespace {

inline Vec16 Exp(Vec16 x) {
  // The minimum of x and 88, negated twice because Max gives its second operand
  // when the first is NaN.
  const Vec16 clamped = Negate(Max(Negate(x), Broadcast(-88.0f)));
  const Vec16 n =
      RoundToNearest(Multiply(clamped, Broadcast(1.44269504088896341f)));
  Vec16 r = Fma(n, Broadcast(-0.693145751953125f), clamped);
  r = Fma(n, Broadcast(-1.42860682030941723e-6f), r);
  Vec16 p = Broadcast(1.9875691500e-4f);
  p = Fma(p, r, Broadcast(1.3981999507e-3f));
  p = Fma(p, r, Broadcast(8.3334519073e-3f));
  p = Fma(p, r, Broadcast(4.1665795894e-2f));
  p = Fma(p, r, Broadcast(1.6666665459e-1f));
  p = Fma(p, r, Broadcast(5.0000001201e-1f));
  p = Add(Fma(p, Multiply(r, r), r), Broadcast(1.0f));
  return KeepNan(x, ZeroBelow(x, -87.0f, Multiply(p, PowerOfTwo(n))));
}

// Exp where x is 0, below, -infinity or NaN: the same bits in fewer steps.
inline Vec16 ExpOfNotPositive(Vec16 x) {
  // Adding and taking away 1.5 · 2^23 rounds to a whole number as long as the
  // result counts, which it does from -87 up.
  const Vec16 rounder = Broadcast(12582912.0f);
  const Vec16 moved =
      Add(Multiply(x, Broadcast(1.44269504088896341f)), rounder);
  const Vec16 n = Subtract(moved, rounder);
  Vec16 r = Fma(n, Broadcast(-0.693145751953125f), x);
  r = Fma(n, Broadcast(-1.42860682030941723e-6f), r);
  Vec16 p = Broadcast(1.9875691500e-4f);
  p = Fma(p, r, Broadcast(1.3981999507e-3f));
  p = Fma(p, r, Broadcast(8.3334519073e-3f));
  p = Fma(p, r, Broadcast(4.1665795894e-2f));
  p = Fma(p, r, Broadcast(1.6666665459e-1f));
  p = Fma(p, r, Broadcast(5.0000001201e-1f));
  p = Add(Fma(p, Multiply(r, r), r), Broadcast(1.0f));
  return ZeroBelow(x, -87.0f, AddToExponent(p, moved));
}

inline Vec16 Tanh(Vec16 x) {
  const Vec16 e = Exp(Multiply(Absolute(x), Broadcast(-2.0f)));
  const Vec16 one = Broadcast(1.0f);
  return CopySign(Divide(Subtract(one, e), Add(one, e)), x);
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_VEC16_MATH_INL_H_
