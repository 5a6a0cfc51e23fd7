#include <algorithm>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/ops.h"
#include "backends/cpu/kernels/pick_kernel.h"
#include "backends/cpu/kernels/rms_norm_kernel.h"

namespace specinfer::cpu {

absl::Status RunRmsNorm(const RmsNormArgs& args, Isa isa, TileRunner& tiles) {
  const int64_t rows = args.in.rows;
  const int64_t width = args.in.columns;
  const int64_t rows_per_tile = RowsPerTile(width);
  const auto kernel = SPECINFER_PICK_KERNEL(isa, &RmsNorm);
  const float* in = Floats(args.in);
  const float* weight = Floats(args.weight);
  float* out = Floats(args.out);
  return tiles.Phase(
      (rows + rows_per_tile - 1) / rows_per_tile, [&](int64_t tile, int) {
        const int64_t end = std::min(rows, (tile + 1) * rows_per_tile);
        for (int64_t row = tile * rows_per_tile; row < end; ++row) {
          kernel(in + row * width, weight, width, args.epsilon,
                 out + row * width);
        }
      });
}

}  // namespace specinfer::cpu
