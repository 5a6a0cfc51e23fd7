#include "backends/cpu/kernels/requantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/kernels/quantize_kernel.h"
#include "backends/cpu/reference/dequantize.h"
#include "src/base/float_control.h"
#include "src/base/half.h"

namespace specinfer::cpu {
namespace {

using Lanes [[gnu::vector_size(16)]] = float;
constexpr int kNumLanes = 4;

constexpr float kMaxHalf = 65504.0f;
constexpr float kMinHalf = 0x1p-24f;
// Whole blocks of every type.
constexpr int64_t kRunInputs = kRunBlocks * kBlockInputs;
constexpr int64_t kMaxRunBytes = kQ8SpanBytes;
static_assert(kMaxRunBytes >= kRunInputs / kBlockInputs * kQ4BlockBytes);

// Candidate scales: the value furthest from zero divided by these. None is
// beyond ±8.5, so no code falls below -8, and only 7 has to be seen to.
constexpr int kNumCandidates = 16;
constexpr float kLevels[kNumCandidates] = {
    -6.0f, -6.5f, -7.0f, -7.35f, -7.7f, -8.0f, -8.25f, -8.45f,
    5.4f,  5.9f,  6.4f,  6.8f,   7.1f,  7.5f,  8.0f,   8.45f};

// To the nearest integer, ties to even: |value| < 2^22.
template <class T>
T Round(T value) {
  return value + 0x1.8p23f - 0x1.8p23f;
}

Lanes LoadLanes(const float* values) {
  Lanes lanes;
  std::memcpy(&lanes, values, sizeof(lanes));
  return lanes;
}

float FurthestFromZero(const float* values) {
  Lanes high = {}, low = {};
  for (int i = 0; i < kBlockInputs; i += kNumLanes) {
    const Lanes part = LoadLanes(values + i);
    high = part > high ? part : high;
    low = part < low ? part : low;
  }
  const float top =
      std::max(std::max(high[0], high[1]), std::max(high[2], high[3]));
  const float bottom =
      std::min(std::min(low[0], low[1]), std::min(low[2], low[3]));
  return top >= -bottom ? top : bottom;
}

// Of codes q the scale with the least error is Σ x·q / Σ q², and what it leaves
// of Σ x² is Σ x² - (Σ x·q)² / Σ q²: the candidate with the most to subtract is
// the best. Candidates are lanes, so sums go over the weights in their order.
float BestCandidate(const float* values, float furthest) {
  constexpr int kVectors = kNumCandidates / kNumLanes;
  Lanes inverse[kVectors], products[kVectors] = {}, squares[kVectors] = {};
  std::memcpy(inverse, kLevels, sizeof(inverse));
  for (Lanes& lanes : inverse) lanes *= 1.0f / furthest;
  const Lanes top = Lanes{} + 7.0f;
  for (int i = 0; i < kBlockInputs; ++i) {
    for (int v = 0; v < kVectors; ++v) {
      Lanes codes = Round(inverse[v] * values[i]);
      codes = codes < top ? codes : top;
      products[v] += codes * values[i];
      squares[v] += codes * codes;
    }
  }
  // Without branches: which is best is anyone's guess.
  Lanes gains = Lanes{} - 1.0f, scales = {};
  for (int v = 0; v < kVectors; ++v) {
    const Lanes scale = products[v] / squares[v];
    const Lanes gain = products[v] * scale;
    scales = gain > gains ? scale : scales;
    gains = gain > gains ? gain : gains;
  }
  const int left = gains[1] > gains[0] ? 1 : 0;
  const int right = gains[3] > gains[2] ? 3 : 2;
  return gains[right] > gains[left] ? scales[right] : scales[left];
}

// The nearest codes under a scale, -8 … 7.
void FindCodes(const float* values, float scale, float* codes) {
  const float inverse = 1.0f / scale;
  const Lanes bottom = Lanes{} - 8.0f;
  const Lanes top = Lanes{} + 7.0f;
  for (int i = 0; i < kBlockInputs; i += kNumLanes) {
    Lanes part = Round(LoadLanes(values + i) * inverse);
    part = part < bottom ? bottom : part;
    part = part < top ? part : top;
    std::memcpy(codes + i, &part, sizeof(part));
  }
}

float Sum(const Lanes& lanes) {
  return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

float Refit(const float* values, const float* codes, float scale) {
  Lanes products = {}, squares = {};
  for (int i = 0; i < kBlockInputs; i += kNumLanes) {
    const Lanes part = LoadLanes(codes + i);
    products += LoadLanes(values + i) * part;
    squares += part * part;
  }
  return Sum(squares) > 0.0f ? Sum(products) / Sum(squares) : scale;
}

void WriteBlock(uint16_t scale, const float* codes, uint8_t* block) {
  std::memcpy(block, &scale, sizeof(scale));
  for (int i = 0; i < 16; ++i) {
    const int low = static_cast<int>(codes[i]) + 8;
    const int high = static_cast<int>(codes[i + 16]) + 8;
    block[2 + i] = static_cast<uint8_t>(low | high << 4);
  }
}

// Values within ±limit, no number as zero.
void MakeFinite(const float* from, float limit, float* to) {
  const Lanes zero = {};
  const Lanes top = Lanes{} + limit, bottom = Lanes{} - limit;
  for (int i = 0; i < kBlockInputs; i += kNumLanes) {
    Lanes part = LoadLanes(from + i);
    part = part == part ? part : zero;
    part = part < top ? part : top;
    part = part > bottom ? part : bottom;
    std::memcpy(to + i, &part, sizeof(part));
  }
}

// Bytes of a row of `dtype` that hold `inputs` elements, the last block perhaps
// in part.
size_t RunBytes(DType dtype, int64_t inputs) {
  const DTypeTraits& traits = GetDTypeTraits(dtype);
  return static_cast<size_t>((inputs + traits.block_elements - 1) /
                             traits.block_elements * traits.block_bytes);
}

// `count` inputs at `row` of a row of `dtype`, at most kRunInputs.
void RequantizeRun(DType dtype, const uint8_t* row, int64_t count, DType to,
                   uint8_t* out) {
  float values[kRunInputs];
  DequantizeRow(dtype, row, count, values);
  if (to == DType::kQ8_K) return QuantizeQ8Span(values, count, out);
  for (int64_t i = 0; i < count; i += kBlockInputs, out += kQ4BlockBytes)
    QuantizeQ4Block(values + i, out);
}

}  // namespace

void QuantizeQ4Block(const float* values, uint8_t* block) {
  float finite[kBlockInputs];
  float codes[kBlockInputs] = {};
  MakeFinite(values, 8.0f * kMaxHalf, finite);
  const float furthest = FurthestFromZero(finite);
  // Less rounds to a scale of zero whatever the codes.
  if (std::fabs(furthest) < kMinHalf) return WriteBlock(0, codes, block);
  float scale = BestCandidate(finite, furthest);
  FindCodes(finite, scale, codes);
  scale = Refit(finite, codes, scale);
  const uint16_t half = FloatToHalf(std::clamp(scale, -kMaxHalf, kMaxHalf));
  if ((half & 0x7fff) == 0) {
    std::fill_n(codes, kBlockInputs, 0.0f);
    return WriteBlock(0, codes, block);
  }
  FindCodes(finite, HalfToFloat(half), codes);
  WriteBlock(half, codes, block);
}

void QuantizeQ8Span(const float* values, int64_t count, uint8_t* span) {
  float finite[kSpanInputs] = {};
  std::copy(values, values + count, finite);
  float amax = 0.0f;
  for (int i = 0; i < kSpanInputs; i += kBlockInputs) {
    MakeFinite(finite + i, 127.0f * kMaxHalf, finite + i);
    amax = std::max(amax, std::fabs(FurthestFromZero(finite + i)));
  }
  const uint16_t half = FloatToHalf(std::min(amax / 127.0f, kMaxHalf));
  const float scale = HalfToFloat(half);
  std::memcpy(span, &half, sizeof(half));
  if (scale == 0.0f) std::fill_n(finite, kSpanInputs, 0.0f);
  const float divisor = scale == 0.0f ? 1.0f : scale;
  for (int i = 0; i < kSpanInputs; ++i) {
    const float code = std::clamp(Round(finite[i] / divisor), -127.0f, 127.0f);
    span[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(code));
  }
}

bool CanRequantizeTo(DType dtype) {
  return dtype == DType::kQ4_0 || dtype == DType::kQ8_K;
}

void RequantizeRows(const WeightSource& source, size_t source_row_bytes,
                    const PackedWeight& weight, int64_t first, int64_t count,
                    uint8_t* out) {
  const ScopedFloatControl float_control;
  for (int64_t row = first; row < first + count; ++row) {
    const uint8_t* from =
        source.bytes.data() + static_cast<size_t>(row) * source_row_bytes;
    for (int64_t begin = 0; begin < source.inputs; begin += kRunInputs) {
      const int64_t inputs = std::min(kRunInputs, source.inputs - begin);
      RequantizeRun(source.dtype, from + RunBytes(source.dtype, begin), inputs,
                    weight.dtype, out);
      out += RunBytes(weight.dtype, inputs);
    }
  }
}

// A run at a time: 16 rows of it are all that lies in memory twice.
void RequantizeGroup(const WeightSource& source, size_t source_row_bytes,
                     const PackedWeight& weight, int64_t group, uint8_t* out) {
  const ScopedFloatControl float_control;
  const QuantizedGroupPacker* const pack =
      FindQuantizedGroupPacker(weight.dtype);
  const PackedLayout& layout = *weight.layout;
  const int64_t first = group * kGroupOutputs;
  const int num_outputs = static_cast<int>(
      std::min<int64_t>(kGroupOutputs, source.outputs - first));
  uint8_t rows[kGroupOutputs * kMaxRunBytes];
  for (int64_t begin = 0; begin < source.inputs; begin += kRunInputs) {
    const int64_t inputs = std::min(kRunInputs, source.inputs - begin);
    const size_t row_bytes = RunBytes(weight.dtype, inputs);
    for (int o = 0; o < num_outputs; ++o) {
      const uint8_t* from = source.bytes.data() +
                            static_cast<size_t>(first + o) * source_row_bytes +
                            RunBytes(source.dtype, begin);
      RequantizeRun(source.dtype, from, inputs, weight.dtype,
                    rows + static_cast<size_t>(o) * row_bytes);
    }
    pack({.rows = rows,
          .row_bytes = row_bytes,
          .num_outputs = num_outputs,
          .num_headers = layout.NumHeaders(inputs),
          .num_blocks = layout.NumBlocks(inputs)},
         out);
    out += layout.RunBytes(kRunBlocks);
  }
}

}  // namespace specinfer::cpu
