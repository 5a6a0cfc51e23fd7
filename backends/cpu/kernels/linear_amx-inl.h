// Linear layers in tiles. The sums are exact in 32 bits, so the bits are those
// of the other kernels. Included by linear_amx.cc; tests include it with an
// emulation of the tiles.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_INL_H_

#include "backends/cpu/kernels/amx_tiles.h"
#include "backends/cpu/kernels/linear_kernel.h"
#include "backends/cpu/kernels/unpack_avx512-inl.h"

namespace specinfer::cpu {
namespace {

static_assert(kTileRows == kPanelRows && kTileRows == kGroupOutputs);
constexpr int kMaxPanels = 4;  // that share one unpacking of the weights

// A panel's sums between stretches of inputs.
struct alignas(64) PanelSums {
  float rows[kTileRows][kGroupOutputs];
};

inline void StorePanel(const LinearTile& tile, int64_t first_row,
                       int64_t num_rows, const PanelSums& panel) {
  const __mmask16 mask =
      static_cast<__mmask16>((1u << NumGroupOutputs(tile)) - 1u);
  const __m512 bias = tile.bias != nullptr
                          ? _mm512_maskz_loadu_ps(mask, tile.bias)
                          : _mm512_setzero_ps();
  float* out = tile.out + first_row * tile.out_stride;
  for (int64_t r = 0; r < num_rows; ++r, out += tile.out_stride) {
    const __m512 sum = _mm512_load_ps(panel.rows[r]);
    _mm512_mask_storeu_ps(
        out, mask, tile.bias != nullptr ? _mm512_add_ps(sum, bias) : sum);
  }
}

}  // namespace
}  // namespace specinfer::cpu

#include "backends/cpu/kernels/linear_amx_blocks-inl.h"
#include "backends/cpu/kernels/linear_amx_spans-inl.h"

namespace specinfer::cpu {
namespace {

// Panels with the same number of rows.
template <class Tiles, int kLayout>
void RunPanels(const LinearTile& tile, int64_t first_row, int64_t num_panels,
               int64_t num_rows) {
  if constexpr (kPackedLayouts[kLayout].activations() == Activations::kSpans) {
    RunSpanPanels<Tiles, kLayout>(tile, first_row, num_panels, num_rows);
  } else {
    RunBlockPanels<Tiles, kLayout>(tile, first_row, num_panels, num_rows);
  }
}

// Whole panels first, then the rows that are left.
template <class Tiles, int kLayout>
void RunTile(const LinearTile& tile) {
  const int64_t num_whole = tile.num_rows / kPanelRows;
  for (int64_t p = 0; p < num_whole; p += kMaxPanels) {
    const int64_t rest = num_whole - p;
    RunPanels<Tiles, kLayout>(tile, p * kPanelRows,
                              rest < kMaxPanels ? rest : kMaxPanels,
                              kPanelRows);
  }
  const int64_t num_rest = tile.num_rows % kPanelRows;
  if (num_rest > 0)
    RunPanels<Tiles, kLayout>(tile, num_whole * kPanelRows, 1, num_rest);
}

// Null for float weights.
template <class Tiles, int kLayout = 0>
LinearKernel* FindAmxKernel(DType dtype) {
  if constexpr (kLayout < kNumPackedLayouts) {
    if constexpr (!kPackedLayouts[kLayout].is_float()) {
      if (kPackedLayouts[kLayout].dtype == dtype)
        return &RunTile<Tiles, kLayout>;
    }
    return FindAmxKernel<Tiles, kLayout + 1>(dtype);
  }
  return nullptr;
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_INL_H_
