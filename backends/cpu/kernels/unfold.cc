#include <algorithm>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/ops.h"

namespace specinfer::cpu {
namespace {

void UnfoldRow(const float* before, const float* at, const float* after,
               int64_t channels, float* out) {
  for (int64_t c = 0; c < channels; ++c, out += 3) {
    out[0] = before == nullptr ? 0.0f : before[c];
    out[1] = at[c];
    out[2] = after == nullptr ? 0.0f : after[c];
  }
}

}  // namespace

absl::Status RunUnfold(const UnfoldArgs& args, TileRunner& tiles) {
  const int64_t channels = args.in.columns;
  const int64_t out_frames = (args.frames + args.stride - 1) / args.stride;
  const int64_t rows = args.in.rows / args.frames * out_frames;
  const int64_t rows_per_tile = RowsPerTile(3 * channels);
  const float* in = Floats(args.in);
  float* out = Floats(args.out);
  return tiles.Phase(
      (rows + rows_per_tile - 1) / rows_per_tile, [&](int64_t tile, int) {
        const int64_t end = std::min(rows, (tile + 1) * rows_per_tile);
        for (int64_t row = tile * rows_per_tile; row < end; ++row) {
          const int64_t frame = row % out_frames * args.stride;
          const float* at =
              in + (row / out_frames * args.frames + frame) * channels;
          UnfoldRow(frame == 0 ? nullptr : at - channels, at,
                    frame + 1 == args.frames ? nullptr : at + channels,
                    channels, out + row * 3 * channels);
        }
      });
}

}  // namespace specinfer::cpu
