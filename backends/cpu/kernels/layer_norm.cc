#include <algorithm>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/layer_norm_kernel.h"
#include "backends/cpu/kernels/ops.h"
#include "backends/cpu/kernels/pick_kernel.h"

namespace specinfer::cpu {

absl::Status RunLayerNorm(const LayerNormArgs& args, Isa isa,
                          TileRunner& tiles) {
  const int64_t rows = args.in.rows;
  const int64_t width = args.in.columns;
  const int64_t rows_per_tile = RowsPerTile(width);
  const auto kernel = SPECINFER_PICK_KERNEL(isa, &LayerNorm);
  const float* in = Floats(args.in);
  const float* weight = Floats(args.weight);
  const float* bias = Floats(args.bias);
  float* out = Floats(args.out);
  return tiles.Phase(
      (rows + rows_per_tile - 1) / rows_per_tile, [&](int64_t tile, int) {
        const int64_t end = std::min(rows, (tile + 1) * rows_per_tile);
        for (int64_t row = tile * rows_per_tile; row < end; ++row) {
          kernel(in + row * width, weight, bias, width, args.epsilon,
                 out + row * width);
        }
      });
}

}  // namespace specinfer::cpu
