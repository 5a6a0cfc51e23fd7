#include <cmath>

#include "backends/cpu/kernels/gated_activation_kernel.h"
#include "backends/cpu/reference/tanh.h"

namespace specinfer::cpu {
namespace {

float Silu(float x) { return x / (1.0f + Exp(-x)); }

float GeluTanh(float x) {
  const float inner =
      0.797884560802865356f * std::fmaf(0.044715f, (x * x) * x, x);
  return (0.5f * x) * (1.0f + Tanh(inner));
}

// Abramowitz and Stegun, 7.1.26.
float Gelu(float x) {
  const float z = std::fabs(x) * 0.707106781186547524f;
  const float t = 1.0f / std::fmaf(0.3275911f, z, 1.0f);
  float p = 1.061405429f;
  p = std::fmaf(p, t, -1.453152027f);
  p = std::fmaf(p, t, 1.421413741f);
  p = std::fmaf(p, t, -0.284496736f);
  p = std::fmaf(p, t, 0.254829592f);
  const float above = ((0.5f * p) * t) * Exp(-(z * z));
  return x * (0.5f + std::copysign(0.5f - above, x));
}

template <float (*kActivation)(float)>
void ActivateAndGate(const float* gate, const float* up, int64_t count,
                     float* out) {
  for (int64_t i = 0; i < count; ++i) {
    const float activated = kActivation(gate[i]);
    out[i] = up == nullptr ? activated : activated * up[i];
  }
}

}  // namespace

void GatedSiluReference(const float* gate, const float* up, int64_t count,
                        float* out) {
  ActivateAndGate<Silu>(gate, up, count, out);
}

void GatedGeluTanhReference(const float* gate, const float* up, int64_t count,
                            float* out) {
  ActivateAndGate<GeluTanh>(gate, up, count, out);
}

void GatedGeluReference(const float* gate, const float* up, int64_t count,
                        float* out) {
  ActivateAndGate<Gelu>(gate, up, count, out);
}

}  // namespace specinfer::cpu
