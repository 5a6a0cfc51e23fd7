// What RunLinear and RunHead share: rows of activations, quantised, and the
// kernel for a weight.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_ROWS_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_ROWS_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "backends/cpu/cpu_stream.h"
#include "backends/cpu/kernels/linear_kernel.h"

namespace specinfer::cpu {

// The fastest for so many rows; all give the same bits.
LinearKernel* FindLinearKernel(Isa isa, DType dtype, int64_t num_rows);

// The rows of an op as the kernels of one kind of weight want them.
struct QuantizedRows {
  Activations activations = Activations::kFloats;
  const float* floats = nullptr;  // of row 0, for kFloats
  uint8_t* codes = nullptr;       // panels of blocks or spans

  // The tile of rows [first_row, first_row + num_tile_rows), without its group
  // and output. `first_row` is a multiple of kPanelRows.
  LinearTile TileOf(const PackedWeight& weight, Isa isa, int64_t first_row,
                    int64_t num_tile_rows) const;
};

// Quantises rows of `in` into panels (linear_kernel.h), in one phase: row i of
// `num_rows` is row source(i) of `in`.
absl::Status QuantizeRows(const Tensor& in, int64_t num_rows,
                          absl::FunctionRef<int64_t(int64_t)> source, Isa isa,
                          const QuantizedRows& out, TileRunner& tiles);

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_ROWS_H_
