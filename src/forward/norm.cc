#include "src/forward/norm.h"

namespace specinfer {

absl::Status Normalize(const Architecture& architecture, const Tensor& in,
                       const NormWeights& weights, const Tensor& out,
                       Stream& stream) {
  const float epsilon = architecture.norm_epsilon;
  if (architecture.norm_kind == NormKind::kRms) {
    return stream.RmsNorm(
        {.in = in, .weight = weights.weight, .epsilon = epsilon, .out = out});
  }
  return stream.LayerNorm({.in = in,
                           .weight = weights.weight,
                           .bias = weights.bias,
                           .epsilon = epsilon,
                           .out = out});
}

}  // namespace specinfer
