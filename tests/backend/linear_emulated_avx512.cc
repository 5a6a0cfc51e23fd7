#include "backends/cpu/kernels/linear_amx-inl.h"
#include "tests/backend/emulated_tiles.h"
#include "tests/backend/linear_emulated.h"

namespace specinfer::cpu {

LinearKernel* FindLinearEmulated(DType dtype) {
  return FindAmxKernel<EmulatedTiles>(dtype);
}

}  // namespace specinfer::cpu
