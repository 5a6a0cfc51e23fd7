// What RunLinear and RunHead share: rows of activations, quantised, and the
// kernel for a weight.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_ROWS_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_ROWS_H_

#include <cstdint>

#include "absl/status/status.h"

#include "backends/cpu/cpu_stream.h"
#include "backends/cpu/kernels/linear_kernel.h"

namespace specinfer::cpu {

struct LinearRows {
  int64_t first_row = 0;
  int64_t num_rows = 0;
  const float* floats = nullptr;  // of first_row
  const ActivationBlock* blocks =
      nullptr;  // of first_row; null where no weight is quantised
};

LinearKernel* FindLinearKernel(Isa isa, DType dtype);

// Quantises every row of `in`, in one phase.
absl::Status QuantizeRows(const Tensor& in, Isa isa, ActivationBlock* out,
                          TileRunner& tiles);

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_ROWS_H_
