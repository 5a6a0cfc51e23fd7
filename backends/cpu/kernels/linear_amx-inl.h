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

// Rows that share one unpacking of the weights: whole panels, and at the end
// perhaps one of fewer rows, behind which others lie that nobody asked for.
struct PanelRange {
  int64_t first_row;  // a multiple of kPanelRows
  int64_t num_rows;   // up to kMaxPanels * kPanelRows

  int64_t num_panels() const {
    return (num_rows + kPanelRows - 1) / kPanelRows;
  }
  int64_t RowsOf(int64_t panel) const {
    const int64_t rest = num_rows - panel * kPanelRows;
    return rest < kPanelRows ? rest : kPanelRows;
  }
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
#include "backends/cpu/kernels/linear_amx_bytes-inl.h"
#include "backends/cpu/kernels/linear_amx_spans-inl.h"

namespace specinfer::cpu {
namespace {

template <class Tiles, int kLayout>
void RunTile(const LinearTile& tile) {
  constexpr int64_t kMaxRows = kMaxPanels * kPanelRows;
  for (int64_t row = 0; row < tile.num_rows; row += kMaxRows) {
    const int64_t rest = tile.num_rows - row;
    const PanelRange range = {row, rest < kMaxRows ? rest : kMaxRows};
    if constexpr (kPackedLayouts[kLayout].codes == Codes::kSigned8) {
      RunBytePanels<Tiles, kLayout>(tile, range);
    } else if constexpr (kPackedLayouts[kLayout].activations() ==
                         Activations::kSpans) {
      RunSpanPanels<Tiles, kLayout>(tile, range);
    } else {
      RunBlockPanels<Tiles, kLayout>(tile, range);
    }
  }
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
