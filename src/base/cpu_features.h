// What this processor can do, asked once per engine.
#ifndef SPECINFER_SRC_BASE_CPU_FEATURES_H_
#define SPECINFER_SRC_BASE_CPU_FEATURES_H_

#include <string>

namespace specinfer {

struct CpuFeatures {
  bool avx2 = false;     // with FMA and F16C
  bool avx512 = false;   // F, BW, DQ, VL, VBMI and VNNI
  bool amx = false;      // tiles and int8, and the operating system grants them
  bool dotprod = false;  // AArch64: sdot and udot, as in Armv8.4
  bool i8mm = false;     // AArch64: 8-bit matrix products; nothing uses them
  std::string name;      // the processor's own words
};

CpuFeatures DetectCpuFeatures();

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_CPU_FEATURES_H_
