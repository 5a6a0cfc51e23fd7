// The tile instructions that kernels use. Kernels are templates over a class
// like HardwareTiles, so that tests can run them on an emulation where there is
// no AMX.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_AMX_TILES_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_AMX_TILES_H_

#include <cstdint>

namespace specinfer::cpu {
namespace {

inline constexpr int kTileRows = 16;
inline constexpr int kTileRowBytes = 64;

// The operand of ldtilecfg: the shapes of the eight tile registers.
struct alignas(64) TileShapes {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  constexpr void Set(int tile, int num_rows, int num_row_bytes) {
    rows[tile] = static_cast<uint8_t>(num_rows);
    row_bytes[tile] = static_cast<uint16_t>(num_row_bytes);
  }
};
static_assert(sizeof(TileShapes) == 64);

// Tile registers are template arguments, since instructions name them. "memory"
// keeps the compiler from moving loads and stores across: it does not know what
// a tile instruction touches.
struct HardwareTiles {
  static void Configure(const TileShapes& shapes) {
    asm volatile("ldtilecfg %0" : : "m"(shapes));
  }
  static void Release() { asm volatile("tilerelease"); }
  template <int kTile>
  static void Zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  // Row i from `rows` + i · stride bytes.
  template <int kTile>
  static void Load(const void* rows, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2"
                 :
                 : "r"(rows), "r"(stride), "i"(kTile)
                 : "memory");
  }
  template <int kTile>
  static void Store(void* rows, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)"
                 :
                 : "r"(rows), "r"(stride), "i"(kTile)
                 : "memory");
  }
  // sum[i][n] += Σk a[i][4k + j] · b[k][4n + j], exact in 32 bits. The first
  // operand's bytes are signed; the second's signed or unsigned.
  template <int kSum, int kA, int kB>
  static void DotSignedSigned() {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0"
                 :
                 : "i"(kSum), "i"(kA), "i"(kB));
  }
  template <int kSum, int kA, int kB>
  static void DotSignedUnsigned() {
    asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0"
                 :
                 : "i"(kSum), "i"(kA), "i"(kB));
  }
  template <int kSum, int kA, int kB>
  static void DotUnsignedSigned() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0"
                 :
                 : "i"(kSum), "i"(kA), "i"(kB));
  }
};

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_AMX_TILES_H_
