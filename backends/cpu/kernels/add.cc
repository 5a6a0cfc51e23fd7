#include <algorithm>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/add_kernel.h"
#include "backends/cpu/kernels/ops.h"
#include "backends/cpu/kernels/pick_kernel.h"

namespace specinfer::cpu {

absl::Status RunAdd(const AddArgs& args, Isa isa, TileRunner& tiles) {
  constexpr int64_t kTileFloats = 32768;
  const int64_t count = args.sum.rows * args.sum.columns;
  const auto kernel = SPECINFER_PICK_KERNEL(isa, &Add);
  float* sum = Floats(args.sum);
  const float* addend = Floats(args.addend);
  return tiles.Phase((count + kTileFloats - 1) / kTileFloats, [&](int64_t tile,
                                                                  int) {
    const int64_t first = tile * kTileFloats;
    kernel(sum + first, addend + first, std::min(kTileFloats, count - first));
  });
}

}  // namespace specinfer::cpu
