#include "backends/cpu/kernels/linear_amx-inl.h"

namespace specinfer::cpu {

LinearKernel* FindLinearAmx(DType dtype) {
  return FindAmxKernel<HardwareTiles>(dtype);
}

}  // namespace specinfer::cpu
