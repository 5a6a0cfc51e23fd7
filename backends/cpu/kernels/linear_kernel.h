// One group of 16 outputs times some rows, for each instruction set.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_KERNEL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_KERNEL_H_

#include <cstdint>

#include "backends/cpu/kernels/pack.h"
#include "backends/cpu/kernels/quantize_kernel.h"

namespace specinfer::cpu {

struct LinearTile {
  const PackedWeight* weight = nullptr;
  int64_t group = 0;
  int64_t num_rows = 0;
  const ActivationBlock* blocks =
      nullptr;  // [num_rows][inputs / 32], for quantised weights
  const float* floats = nullptr;  // [num_rows][inputs], for float weights
  const float* bias = nullptr;    // of the group's first output; or null
  float* out = nullptr;           // of row 0 and the group's first output
  int64_t out_stride = 0;         // floats from row to row
};

using LinearKernel = void(const LinearTile& tile);

// The reference kernel reads raw rows, the others packed groups.
LinearKernel LinearReference;
LinearKernel* FindLinearAvx2(DType dtype);
LinearKernel* FindLinearAvx512(DType dtype);

// How many outputs the group really has.
inline int NumGroupOutputs(const LinearTile& tile) {
  const int64_t rest = tile.weight->outputs - tile.group * kGroupOutputs;
  return static_cast<int>(rest < kGroupOutputs ? rest : kGroupOutputs);
}

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_KERNEL_H_
