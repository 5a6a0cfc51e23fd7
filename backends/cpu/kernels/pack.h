// The packed layouts of weights: groups of 16 outputs, shared by every
// instruction set.
//
// A group is a sequence of runs of 256 inputs, the last perhaps of fewer, and a
// run is [headers][codes], both of whole cache lines (Q3_K: of half ones):
// kernels read memory from front to back, which is what processors prefetch
// best. A header spans 32 or 256 inputs of the 16 outputs: half-precision
// scales [16], minimum scales [16] if the type has minima, then per block of 32
// inputs the integer sub-scales [sub_scales][16] of all its blocks, then the
// integer sub-minima likewise (Q2_K: both in one byte, the scale in the low
// nibble). Codes follow in blocks of 32 inputs, as eight vectors of 64 bytes
// before they are squeezed: byte 4·o + i of vector v is the code of output o,
// input 4·v + i.
//
// Types with short spans have rows of any length: the last run may span any
// number of inputs, in whole tiles of 64; behind the end of a row stand zeros.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_PACK_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_PACK_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

#include "backends/cpu/isa.h"
#include "src/backend/backend.h"
#include "src/base/memory.h"

namespace specinfer::cpu {

// Of the layouts below, in files: a change of any of their bytes is another
// version.
inline constexpr uint32_t kPackedVersion = 2;
inline constexpr int kGroupOutputs = 16;
inline constexpr int kBlockInputs = 32;
inline constexpr int kRunBlocks = 8;
inline constexpr int kTileInputs = 64;  // of one product of tiles
inline constexpr int kNumVectors = 8;   // of 64 bytes, per block

// How the eight vectors V0…V7 of a block are squeezed into planes of 64 bytes.
enum class Codes : uint8_t {
  kFloat32,   // [inputs][16] floats; no blocks
  kFloat16,   // [inputs][16] halves
  kBFloat16,  // [inputs][16]
  k2Bit,      // A0 A1: bits 2i of A0 are Vi, of A1 V(4+i)
  k3Bit,      // A0 A1 as above for the low two bits; B: bit i is bit 2 of Vi
  k4Bit,      // A0…A3: low nibble Vi, high nibble V(4+i)
  k5Bit,      // A0…A3 as above for the low four bits; B: bit i is bit 4 of Vi
  k6Bit,  // A0…A5: low six bits Vi; the top two bits of A0 A1 A2 are bits 0-1,
          // 2-3, 4-5 of V6; of A3 A4 A5, of V7
  k8Bit,     // A0…A7: Vi
  kSigned8,  // A0…A7: Vi, which have a sign
  kTable4,   // as k4Bit; a code is an index of kTable4Values
};

// The values of IQ4_NL and IQ4_XS.
inline constexpr int8_t kTable4Values[16] = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// What a layer's inputs are turned into before they meet its weights.
enum class Activations : uint8_t { kFloats, kBlocks, kSpans };

struct PackedLayout {
  DType dtype;
  Codes codes;
  int code_bytes;  // of 16 outputs × 32 inputs; of a float type, of 16 outputs
                   // × 1 input
  int header_inputs;  // 32 or 256; 0 for float types
  int offset;  // a weight is scale · (code - offset), scale · code where
               // codes have a sign, or scale · kTable4Values[code], ±
               // minimum; then kernels without signs add the offset
  bool has_minima;
  bool subtracts_minima;
  int sub_scales;  // integer scales (and minima) per block and output: 0, 1 or
                   // 2 (one per 16 inputs)
  bool has_short_spans = false;

  constexpr bool is_float() const { return header_inputs == 0; }
  constexpr Activations activations() const {
    return is_float()            ? Activations::kFloats
           : header_inputs == 32 ? Activations::kBlocks
                                 : Activations::kSpans;
  }
  constexpr int header_blocks() const { return header_inputs / kBlockInputs; }
  // Of a row, of a type that is quantised.
  constexpr int64_t NumHeaders(int64_t inputs) const {
    return (inputs + header_inputs - 1) / header_inputs;
  }
  constexpr int64_t NumBlocks(int64_t inputs) const {
    return has_short_spans ? (inputs + kTileInputs - 1) / kTileInputs *
                                 (kTileInputs / kBlockInputs)
                           : inputs / kBlockInputs;
  }
  constexpr int minima() const { return has_minima ? 2 : 1; }
  constexpr int sub_scales_at() const { return minima() * 2 * kGroupOutputs; }
  constexpr bool has_nibble_scales() const {
    return has_minima && sub_scales == 2;
  }
  constexpr int sub_minima_at() const {
    return sub_scales_at() +
           (has_nibble_scales() ? 0
                                : header_blocks() * sub_scales * kGroupOutputs);
  }
  constexpr int header_bytes() const {
    return sub_minima_at() +
           (has_minima ? header_blocks() * sub_scales * kGroupOutputs : 0);
  }
  // Of codes in memory: a cache line, unless that would add too much.
  constexpr int alignment() const { return codes == Codes::k3Bit ? 32 : 64; }
  // Of a run of so many blocks: where its codes begin, and its end.
  constexpr int HeadersBytes(int num_blocks) const {
    const int num_headers =
        (num_blocks + header_blocks() - 1) / header_blocks();
    return (num_headers * header_bytes() + alignment() - 1) / alignment() *
           alignment();
  }
  constexpr int RunBytes(int num_blocks) const {
    return HeadersBytes(num_blocks) + num_blocks * code_bytes;
  }
};

// dtype, codes, code bytes, header inputs, offset, has minima, subtracts them,
// sub-scales, has short spans.
inline constexpr PackedLayout kPackedLayouts[] = {
    {DType::kF32, Codes::kFloat32, 64, 0, 0, false, false, 0},
    {DType::kF16, Codes::kFloat16, 32, 0, 0, false, false, 0},
    {DType::kBF16, Codes::kBFloat16, 32, 0, 0, false, false, 0},
    {DType::kQ4_0, Codes::k4Bit, 256, 32, 8, false, false, 0},
    {DType::kQ4_1, Codes::k4Bit, 256, 32, 0, true, false, 0},
    {DType::kQ5_0, Codes::k5Bit, 320, 32, 16, false, false, 0},
    {DType::kQ5_1, Codes::k5Bit, 320, 32, 0, true, false, 0},
    {DType::kQ8_0, Codes::k8Bit, 512, 32, 128, false, false, 0},
    {DType::kQ2_K, Codes::k2Bit, 128, 256, 0, true, true, 2},
    {DType::kQ3_K, Codes::k3Bit, 192, 256, 4, false, false, 2},
    {DType::kQ4_K, Codes::k4Bit, 256, 256, 0, true, true, 1},
    {DType::kQ5_K, Codes::k5Bit, 320, 256, 0, true, true, 1},
    {DType::kQ6_K, Codes::k6Bit, 384, 256, 32, false, false, 2},
    {DType::kQ8_K, Codes::kSigned8, 512, 256, 128, false, false, 0, true},
    {DType::kIQ4_NL, Codes::kTable4, 256, 32, 128, false, false, 0},
    {DType::kIQ4_XS, Codes::kTable4, 256, 256, 128, false, false, 1},
};
inline constexpr int kNumPackedLayouts =
    sizeof(kPackedLayouts) / sizeof(kPackedLayouts[0]);

// Null for a type that is no weight.
const PackedLayout* FindPackedLayout(DType dtype);

// A matrix in this backend's memory, or in a mapped file that outlives it. With
// Isa::kReference the rows stay as the file holds them.
class PackedWeight final : public Weight {
 public:
  const PackedLayout* layout = nullptr;
  bool is_raw = false;     // the file's rows
  size_t group_bytes = 0;  // packed: of one group
  size_t row_bytes = 0;    // raw: of one row
  const uint8_t* data = nullptr;
  Block block;  // empty where a mapped file has the data

  absl::Span<const uint8_t> bytes() const override {
    return {data, packed_bytes};
  }
  // Of a row; of quantised types.
  int64_t num_headers() const { return layout->NumHeaders(inputs); }
  int64_t num_blocks() const { return layout->NumBlocks(inputs); }
  int64_t num_groups() const {
    return (outputs + kGroupOutputs - 1) / kGroupOutputs;
  }
  const uint8_t* group(int64_t index) const {
    return data + static_cast<size_t>(index) * group_bytes;
  }
  // How many blocks the run at block `first` has; of quantised types.
  int NumRunBlocks(int64_t first) const {
    const int64_t rest = num_blocks() - first;
    return rest < kRunBlocks ? static_cast<int>(rest) : kRunBlocks;
  }
  const uint8_t* row(int64_t index) const {
    return data + static_cast<size_t>(index) * row_bytes;
  }
};

inline const PackedWeight& AsPacked(const Weight& weight) {
  return static_cast<const PackedWeight&>(weight);
}

// ---- Between pack.cc and pack_quantized.cc ----------------------------------

// Up to 16 rows of a file that become one group of a quantised type.
struct QuantizedGroup {
  const uint8_t* rows = nullptr;
  size_t row_bytes = 0;
  int num_outputs = 0;
  int64_t num_headers = 0;  // of a row
  int64_t num_blocks = 0;   // that a row is packed in
};
using QuantizedGroupPacker = void(const QuantizedGroup& group, uint8_t* out);
// Null for types that are not quantised.
QuantizedGroupPacker* FindQuantizedGroupPacker(DType dtype);

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_PACK_H_
