// GatedActivation over Vec16. Included by gated_activation_<isa>.cc after
// vec16_<isa>.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_GATED_ACTIVATION_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_GATED_ACTIVATION_INL_H_

namespace specinfer::cpu {
namespace {

inline Vec16 Silu(Vec16 x) {
  return Divide(x, Add(Broadcast(1.0f), Exp(Negate(x))));
}

inline Vec16 GeluTanh(Vec16 x) {
  const Vec16 cube = Multiply(Multiply(x, x), x);
  const Vec16 inner = Multiply(Broadcast(0.797884560802865356f),
                               Fma(Broadcast(0.044715f), cube, x));
  return Multiply(Multiply(Broadcast(0.5f), x),
                  Add(Broadcast(1.0f), Tanh(inner)));
}

// x times the share of a normal distribution below x. The complement of its
// error function is Abramowitz and Stegun's 7.1.26.
inline Vec16 Gelu(Vec16 x) {
  const Vec16 z = Multiply(Absolute(x), Broadcast(0.707106781186547524f));
  const Vec16 one = Broadcast(1.0f);
  const Vec16 t = Divide(one, Fma(Broadcast(0.3275911f), z, one));
  Vec16 p = Broadcast(1.061405429f);
  p = Fma(p, t, Broadcast(-1.453152027f));
  p = Fma(p, t, Broadcast(1.421413741f));
  p = Fma(p, t, Broadcast(-0.284496736f));
  p = Fma(p, t, Broadcast(0.254829592f));
  const Vec16 half = Broadcast(0.5f);
  const Vec16 above =
      Multiply(Multiply(Multiply(half, p), t), Exp(Negate(Multiply(z, z))));
  return Multiply(x, Add(half, CopySign(Subtract(half, above), x)));
}

template <Vec16 (*kActivation)(Vec16)>
inline void Activate(const float* in, int64_t count, float* out) {
  const int64_t whole = count & ~int64_t{15};
  const int64_t tail = count - whole;
  for (int64_t i = 0; i < whole; i += 16)
    Store(out + i, kActivation(Load(in + i)));
  if (tail == 0) return;
  StoreFirst(out + whole, kActivation(LoadFirst(in + whole, tail)), tail);
}

template <Vec16 (*kActivation)(Vec16)>
inline void ActivateAndGate(const float* gate, const float* up, int64_t count,
                            float* out) {
  if (up == nullptr) return Activate<kActivation>(gate, count, out);
  const int64_t whole = count & ~int64_t{15};
  const int64_t tail = count - whole;
  for (int64_t i = 0; i < whole; i += 16)
    Store(out + i, Multiply(kActivation(Load(gate + i)), Load(up + i)));
  if (tail == 0) return;
  StoreFirst(out + whole,
             Multiply(kActivation(LoadFirst(gate + whole, tail)),
                      LoadFirst(up + whole, tail)),
             tail);
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_GATED_ACTIVATION_INL_H_
