#include <algorithm>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/gated_activation_kernel.h"
#include "backends/cpu/kernels/ops.h"
#include "backends/cpu/kernels/pick_kernel.h"

namespace specinfer::cpu {

absl::Status RunGatedActivation(const GatedActivationArgs& args, Isa isa,
                                TileRunner& tiles) {
  constexpr int64_t kTileFloats = 8192;
  const int64_t count = args.gate.rows * args.gate.columns;
  const auto kernel = args.activation == Activation::kSilu
                          ? SPECINFER_PICK_KERNEL(isa, &GatedSilu)
                          : SPECINFER_PICK_KERNEL(isa, &GatedGelu);
  const float* gate = Floats(args.gate);
  const float* up = Floats(args.up);
  float* out = Floats(args.out);
  return tiles.Phase(
      (count + kTileFloats - 1) / kTileFloats, [&](int64_t tile, int) {
        const int64_t first = tile * kTileFloats;
        kernel(gate + first, up + first, std::min(kTileFloats, count - first),
               out + first);
      });
}

}  // namespace specinfer::cpu
