// The tile instructions of backends/cpu/kernels/amx_tiles.h in plain loops, so
// that kernels for AMX are tested on machines without it.
#ifndef SPECINFER_TESTS_BACKEND_EMULATED_TILES_H_
#define SPECINFER_TESTS_BACKEND_EMULATED_TILES_H_

#include <cstdint>

#include "backends/cpu/kernels/amx_tiles.h"

namespace specinfer::cpu {
namespace {

// Eight registers of 16 rows of 64 bytes. As the hardware does, a load clears
// what lies beyond the shape, and a store leaves alone what does.
class EmulatedTiles {
 public:
  static void Configure(const TileShapes& shapes) {
    State& s = state();
    s = {};
    s.shapes = shapes;
  }
  static void Release() { state() = {}; }

  template <int kTile>
  static void Zero() {
    state().tiles[kTile] = {};
  }
  template <int kTile>
  static void Load(const void* rows, int64_t stride) {
    State& s = state();
    Tile& tile = s.tiles[kTile];
    tile = {};
    for (int row = 0; row < s.shapes.rows[kTile]; ++row) {
      __builtin_memcpy(tile.bytes[row],
                       static_cast<const uint8_t*>(rows) + row * stride,
                       s.shapes.row_bytes[kTile]);
    }
  }
  template <int kTile>
  static void Store(void* rows, int64_t stride) {
    const State& s = state();
    for (int row = 0; row < s.shapes.rows[kTile]; ++row) {
      __builtin_memcpy(static_cast<uint8_t*>(rows) + row * stride,
                       s.tiles[kTile].bytes[row], s.shapes.row_bytes[kTile]);
    }
  }
  template <int kSum, int kA, int kB>
  static void DotSignedSigned() {
    Dot<int8_t, int8_t>(kSum, kA, kB);
  }
  template <int kSum, int kA, int kB>
  static void DotSignedUnsigned() {
    Dot<int8_t, uint8_t>(kSum, kA, kB);
  }
  template <int kSum, int kA, int kB>
  static void DotUnsignedSigned() {
    Dot<uint8_t, int8_t>(kSum, kA, kB);
  }

 private:
  struct Tile {
    uint8_t bytes[kTileRows][kTileRowBytes] = {};
  };
  struct State {
    TileShapes shapes;
    Tile tiles[8];
  };
  static State& state() {
    static thread_local State state;
    return state;
  }

  template <class A, class B>
  static void Dot(int sum, int a, int b) {
    State& s = state();
    const TileShapes& shapes = s.shapes;
    for (int m = 0; m < shapes.rows[sum]; ++m) {
      for (int n = 0; n < shapes.row_bytes[sum] / 4; ++n) {
        int32_t total;
        __builtin_memcpy(&total, s.tiles[sum].bytes[m] + 4 * n, 4);
        for (int k = 0; k < shapes.row_bytes[a] / 4; ++k) {
          for (int j = 0; j < 4; ++j) {
            total += static_cast<A>(s.tiles[a].bytes[m][4 * k + j]) *
                     static_cast<B>(s.tiles[b].bytes[k][4 * n + j]);
          }
        }
        __builtin_memcpy(s.tiles[sum].bytes[m] + 4 * n, &total, 4);
      }
    }
  }
};

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_TESTS_BACKEND_EMULATED_TILES_H_
