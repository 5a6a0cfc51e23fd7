#include <algorithm>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/ops.h"

namespace specinfer::cpu {

absl::Status RunGatherRows(const GatherRowsArgs& args, TileRunner& tiles) {
  const int64_t rows = static_cast<int64_t>(args.rows.size());
  const int64_t width = args.in.columns;
  const int64_t rows_per_tile = RowsPerTile(width);
  const float* in = Floats(args.in);
  float* out = Floats(args.out);
  return tiles.Phase(
      (rows + rows_per_tile - 1) / rows_per_tile, [&](int64_t tile, int) {
        const int64_t end = std::min(rows, (tile + 1) * rows_per_tile);
        for (int64_t row = tile * rows_per_tile; row < end; ++row) {
          std::copy_n(in + args.rows[static_cast<size_t>(row)] * width, width,
                      out + row * width);
        }
      });
}

}  // namespace specinfer::cpu
