#include "backends/cpu/kernels/amx_tiles.h"
#include "backends/cpu/kernels/peak_kernel.h"

namespace specinfer::cpu {

// Four sums keep the tile unit busy: one product takes 16 cycles and is ready
// after 52. REQUIRES: the operating system has granted tiles.
int64_t Int8PeakAmx(int64_t num_rounds, uint8_t* operands) {
  constexpr int kNumSums = 4;
  TileShapes shapes;
  for (int tile = 0; tile < 8; ++tile)
    shapes.Set(tile, kTileRows, kTileRowBytes);
  HardwareTiles::Configure(shapes);
  HardwareTiles::Zero<0>();
  HardwareTiles::Zero<1>();
  HardwareTiles::Zero<2>();
  HardwareTiles::Zero<3>();
  HardwareTiles::Load<4>(operands, /*stride=*/0);
  HardwareTiles::Load<5>(operands, /*stride=*/0);
  for (int64_t round = 0; round < num_rounds; ++round) {
    HardwareTiles::DotSignedUnsigned<0, 4, 5>();
    HardwareTiles::DotSignedUnsigned<1, 4, 5>();
    HardwareTiles::DotSignedUnsigned<2, 4, 5>();
    HardwareTiles::DotSignedUnsigned<3, 4, 5>();
  }
  uint8_t sums[kTileRows * kTileRowBytes];
  HardwareTiles::Store<0>(sums, kTileRowBytes);
  HardwareTiles::Release();
  operands[0] = sums[0];
  return num_rounds * kNumSums * kTileRows * kTileRows * kTileRowBytes;
}

}  // namespace specinfer::cpu
