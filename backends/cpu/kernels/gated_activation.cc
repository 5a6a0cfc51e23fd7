#include <algorithm>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/gated_activation_kernel.h"
#include "backends/cpu/kernels/ops.h"
#include "backends/cpu/kernels/pick_kernel.h"

namespace specinfer::cpu {
namespace {

GatedActivationKernel* PickActivation(Activation activation, Isa isa) {
  switch (activation) {
    case Activation::kGeluTanh:
      return SPECINFER_PICK_KERNEL(isa, &GatedGeluTanh);
    case Activation::kGelu:
      return SPECINFER_PICK_KERNEL(isa, &GatedGelu);
    default:
      return SPECINFER_PICK_KERNEL(isa, &GatedSilu);
  }
}

}  // namespace

absl::Status RunGatedActivation(const GatedActivationArgs& args, Isa isa,
                                TileRunner& tiles) {
  constexpr int64_t kTileFloats = 8192;
  const int64_t count = args.gate.rows * args.gate.columns;
  const auto kernel = PickActivation(args.activation, isa);
  const float* gate = Floats(args.gate);
  const float* up = args.up.empty() ? nullptr : Floats(args.up);
  float* out = Floats(args.out);
  return tiles.Phase(
      (count + kTileFloats - 1) / kTileFloats, [&](int64_t tile, int) {
        const int64_t first = tile * kTileFloats;
        kernel(gate + first, up == nullptr ? nullptr : up + first,
               std::min(kTileFloats, count - first), out + first);
      });
}

}  // namespace specinfer::cpu
