// One group of 16 outputs times some rows, for each instruction set.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_KERNEL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_KERNEL_H_

#include <cstdint>

#include "backends/cpu/kernels/pack.h"
#include "backends/cpu/kernels/quantize_kernel.h"

namespace specinfer::cpu {

// Quantised activations lie in panels of 16 rows, so that a block (or span) of
// all rows of a panel is one run of memory: [panels][blocks][rows of the
// panel]. The last panel has the rows that are left.
inline constexpr int kPanelRows = 16;

// Where block 0 of `row` is.
inline int64_t PanelOffset(int64_t num_blocks, int64_t row) {
  return row / kPanelRows * kPanelRows * num_blocks + row % kPanelRows;
}
// How far apart the blocks of `row` are when there are `num_rows` rows.
inline int64_t PanelStride(int64_t num_rows, int64_t row) {
  const int64_t rest = num_rows - row / kPanelRows * kPanelRows;
  return rest < kPanelRows ? rest : kPanelRows;
}

// That a kernel which takes several groups takes at once.
inline constexpr int kMaxGroups = 16;

// How many bytes ahead of what a kernel reads it prefetches.
struct PrefetchAhead {
  int first_cache = 0;
  int second_cache = 0;  // 0: not
};

struct LinearTile {
  const PackedWeight* weight = nullptr;
  int64_t group = 0;       // the first
  int64_t num_groups = 1;  // more only for kernels that take them
  int64_t num_rows = 0;
  // One of these, as the weight's layout wants it.
  const ActivationBlock* blocks = nullptr;  // panels
  const ActivationSpan* spans = nullptr;    // panels
  const float* floats = nullptr;            // [num_rows][inputs]
  const float* bias = nullptr;  // of the group's first output; or null
  float* out = nullptr;         // of row 0 and the group's first output
  int64_t out_stride = 0;       // floats from row to row
  PrefetchAhead ahead;

  const ActivationBlock* BlocksOf(int64_t row) const {
    return blocks + PanelOffset(weight->inputs / kBlockInputs, row);
  }
  const ActivationSpan* SpansOf(int64_t row) const {
    return spans + PanelOffset(NumSpans(weight->inputs), row);
  }
};

using LinearKernel = void(const LinearTile& tile);

// The reference kernel reads raw rows, the others packed groups.
LinearKernel LinearReference;
LinearKernel* FindLinearAvx2(DType dtype);
LinearKernel* FindLinearAvx512(DType dtype);
LinearKernel* FindLinearNeon(DType dtype);
LinearKernel* FindLinearAmx(DType dtype);  // null for float weights

// How many blocks span `s` of a row has.
template <int kLayout>
inline int NumSpanBlocks(const LinearTile& tile, int64_t s) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  constexpr int kWhole = kL.header_blocks();
  if constexpr (!kL.has_short_spans) return kWhole;
  const int64_t rest = tile.weight->num_blocks() - s * kWhole;
  return rest < kWhole ? static_cast<int>(rest) : kWhole;
}

// How many outputs the group really has.
inline int NumGroupOutputs(const LinearTile& tile) {
  const int64_t rest = tile.weight->outputs - tile.group * kGroupOutputs;
  return static_cast<int>(rest < kGroupOutputs ? rest : kGroupOutputs);
}

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_KERNEL_H_
