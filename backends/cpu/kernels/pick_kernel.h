// The kernel of an instruction set, among those that this build has.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_PICK_KERNEL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_PICK_KERNEL_H_

#include "backends/cpu/isa.h"

namespace specinfer::cpu {

// SPECINFER_PICK_KERNEL(isa, &Add) is &AddAvx512 and so on. Most ops have
// nothing of their own for AMX and use AVX-512 there.
#if defined(__x86_64__)
#define SPECINFER_PICK_KERNEL(isa, Op)                      \
  ((isa) == Isa::kAmx || (isa) == Isa::kAvx512 ? Op##Avx512 \
   : (isa) == Isa::kAvx2                       ? Op##Avx2   \
                                               : Op##Reference)
#elif defined(__aarch64__)
#define SPECINFER_PICK_KERNEL(isa, Op) \
  ((isa) == Isa::kNeon ? Op##Neon : Op##Reference)
#else
#define SPECINFER_PICK_KERNEL(isa, Op) (Op##Reference)
#endif

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_PICK_KERNEL_H_
