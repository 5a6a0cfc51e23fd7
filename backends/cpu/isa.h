// Which instruction set a CPU backend uses. Chosen once, when the backend is
// made; tests force each by name.
#ifndef SPECINFER_BACKENDS_CPU_ISA_H_
#define SPECINFER_BACKENDS_CPU_ISA_H_

#include <cstdint>

namespace specinfer::cpu {

enum class Isa : uint8_t { kReference, kAvx2, kAvx512, kAmx, kNeon };

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_ISA_H_
