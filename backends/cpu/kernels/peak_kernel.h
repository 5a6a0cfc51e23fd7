// The machine's limits for each instruction set: loops that do nothing but
// multiply in registers, or nothing but read.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_PEAK_KERNEL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_PEAK_KERNEL_H_

#include <cstddef>
#include <cstdint>

namespace specinfer::cpu {

// 64 bytes that the multiplications take their operands from and leave
// something of their results in, so that no compiler can do without them.
inline constexpr int kPeakOperandBytes = 64;

// Runs `num_rounds` rounds and returns how many multiply-adds that was.
using PeakKernel = int64_t(int64_t num_rounds, uint8_t* operands);

// Products of bytes summed in 32 bits, by the instruction that linear layers
// use: vpdpbusd, tdpbusd, sdot; with AVX2, vpmaddubsw widened every eighth
// time, as 4-bit codes allow.
PeakKernel Int8PeakReference, Int8PeakAvx2, Int8PeakAvx512, Int8PeakAmx,
    Int8PeakNeon;
// Fused multiply-adds of single precision.
PeakKernel FloatPeakReference, FloatPeakAvx2, FloatPeakAvx512, FloatPeakNeon;

// How far ahead the reading loops prefetch. On a Sapphire Rapids server 0.5 to
// 1.5 KiB reads 15 to 30 % more than none, and 3 to 4 KiB less than 1 KiB.
inline constexpr int kReadAheadBytes = 1024;
// The reading loops take steps of this many bytes.
inline constexpr size_t kReadStepBytes = 256;

// Reads `num_bytes`, a multiple of kReadStepBytes, and returns something of
// each.
using ReadKernel = uint64_t(const uint8_t* bytes, size_t num_bytes);

ReadKernel ReadReference, ReadAvx2, ReadAvx512, ReadNeon;

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_PEAK_KERNEL_H_
