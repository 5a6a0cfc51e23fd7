#include "backends/cpu/reference/dequantize.h"

#include <algorithm>
#include <cstring>

#include "src/base/half.h"

namespace specinfer::cpu {
namespace {

constexpr int kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                1,    13,   25,  38,  53,  69,  89,  113};

uint16_t Half(const uint8_t* bytes) {
  return static_cast<uint16_t>(bytes[0] | bytes[1] << 8);
}

// Element e of 32: nibbles of 16 bytes, low half first.
int Nibble32(const uint8_t* quants, int e) {
  return (quants[e % 16] >> (e / 16 * 4)) & 15;
}

int Bit(const uint8_t* bits, int e) { return (bits[e / 8] >> (e % 8)) & 1; }

// Element e of 256: nibbles, 64 elements in 32 bytes, low half first.
int Nibble256(const uint8_t* quants, int e) {
  return (quants[e / 64 * 32 + e % 32] >> (e % 64 / 32 * 4)) & 15;
}

// Element e of 256: pairs of bits, 128 elements in 32 bytes.
int Pair256(const uint8_t* quants, int e) {
  return (quants[e / 128 * 32 + e % 32] >> (e % 128 / 32 * 2)) & 3;
}

// The weight of element e of a file block.
[[gnu::always_inline]] inline int Weight(DType dtype, const uint8_t* block,
                                         int e) {
  switch (dtype) {
    case DType::kQ4_0:
      return Nibble32(block + 2, e) - 8;
    case DType::kQ4_1:
      return Nibble32(block + 4, e);
    case DType::kQ5_0:
      return Nibble32(block + 6, e) + 16 * Bit(block + 2, e) - 16;
    case DType::kQ5_1:
      return Nibble32(block + 8, e) + 16 * Bit(block + 4, e);
    case DType::kQ8_0:
      return static_cast<int8_t>(block[2 + e]);
    case DType::kQ2_K:
      return Pair256(block + 16, e);
    case DType::kQ3_K:
      return Pair256(block + 32, e) -
             (((block[e % 32] >> (e / 32)) & 1) != 0 ? 0 : 4);
    case DType::kQ4_K:
      return Nibble256(block + 16, e);
    case DType::kQ5_K:
      return Nibble256(block + 48, e) +
             16 * ((block[16 + e % 32] >> (e / 32)) & 1);
    case DType::kQ6_K: {
      const int low = (block[e / 128 * 64 + e % 64] >> (e % 128 / 64 * 4)) & 15;
      return low + 16 * Pair256(block + 128, e) - 32;
    }
    case DType::kQ8_K:
      return static_cast<int8_t>(block[2 + e]);
    case DType::kIQ4_NL:
      return kIq4Values[Nibble32(block + 2, e)];
    case DType::kIQ4_XS:
      return kIq4Values[Nibble32(block + 8 + e / 32 * 16, e % 32)];
    default:
      return 0;
  }
}

// Element k of the eight 6-bit scales (or, with is_minimum, minima) of Q4_K and
// Q5_K.
int SixBits(const uint8_t* packed, int k, bool is_minimum) {
  if (k < 4) return packed[k + (is_minimum ? 4 : 0)] & 63;
  const int low = is_minimum ? packed[k + 4] >> 4 : packed[k + 4] & 15;
  return low + 16 * (packed[k - 4 + (is_minimum ? 4 : 0)] >> 6);
}

// Scale k of sixteen of Q3_K.
int ScaleQ3K(const uint8_t* packed, int k) {
  return ((packed[k % 8] >> (k / 8 * 4)) & 15) +
         16 * ((packed[8 + k % 4] >> (k / 4 * 2)) & 3) - 32;
}

// Scale k of eight of IQ4_XS.
int ScaleIq4Xs(const uint8_t* block, int k) {
  return ((block[4 + k / 2] >> (k % 2 * 4)) & 15) +
         16 * ((Half(block + 2) >> (2 * k)) & 3) - 32;
}

[[gnu::always_inline]] inline void ReadScales(DType dtype, const uint8_t* block,
                                              int b, QuantizedBlock* out) {
  const auto scale = [&](int at) {
    out->scale = HalfToFloat(Half(block + at));
  };
  const auto minimum = [&](int at, float sign) {
    out->minimum = sign * HalfToFloat(Half(block + at));
  };
  switch (dtype) {
    case DType::kQ4_1:
    case DType::kQ5_1:
      scale(0);
      return minimum(2, 1.0f);
    case DType::kQ2_K:
      scale(80);
      minimum(82, -1.0f);
      for (int half = 0; half < 2; ++half) {
        out->sub_scales[half] = block[b * 2 + half] & 15;
        out->sub_minima[half] = block[b * 2 + half] >> 4;
      }
      return;
    case DType::kQ3_K:
      scale(108);
      for (int half = 0; half < 2; ++half)
        out->sub_scales[half] = ScaleQ3K(block + 96, b * 2 + half);
      return;
    case DType::kQ4_K:
    case DType::kQ5_K:
      scale(0);
      minimum(2, -1.0f);
      for (int half = 0; half < 2; ++half) {
        out->sub_scales[half] = SixBits(block + 4, b, /*is_minimum=*/false);
        out->sub_minima[half] = SixBits(block + 4, b, /*is_minimum=*/true);
      }
      return;
    case DType::kQ6_K:
      scale(208);
      for (int half = 0; half < 2; ++half)
        out->sub_scales[half] = static_cast<int8_t>(block[192 + b * 2 + half]);
      return;
    case DType::kIQ4_XS:
      scale(0);
      for (int half = 0; half < 2; ++half)
        out->sub_scales[half] = ScaleIq4Xs(block, b);
      return;
    default:
      return scale(0);
  }
}

// With a constant type the loop over the weights has no branches.
[[gnu::always_inline]] inline QuantizedBlock ReadBlock(DType dtype,
                                                       const uint8_t* row,
                                                       int64_t index) {
  const DTypeTraits& traits = GetDTypeTraits(dtype);
  const int64_t blocks = traits.block_elements / 32;
  const uint8_t* block = row + index / blocks * traits.block_bytes;
  const int b = static_cast<int>(index % blocks);
  QuantizedBlock out = {{}, 0.0f, 0.0f, {1, 1}, {1, 1}};
  for (int i = 0; i < 32; ++i)
    out.weights[i] = Weight(dtype, block, b * 32 + i);
  ReadScales(dtype, block, b, &out);
  return out;
}

}  // namespace

QuantizedBlock ReadQuantizedBlock(DType dtype, const uint8_t* row,
                                  int64_t index) {
  switch (dtype) {
    case DType::kQ5_0:
      return ReadBlock(DType::kQ5_0, row, index);
    case DType::kQ5_K:
      return ReadBlock(DType::kQ5_K, row, index);
    case DType::kQ6_K:
      return ReadBlock(DType::kQ6_K, row, index);
    case DType::kQ8_0:
      return ReadBlock(DType::kQ8_0, row, index);
    default:
      return ReadBlock(dtype, row, index);
  }
}

void DequantizeRow(DType dtype, const uint8_t* row, int64_t inputs,
                   float* out) {
  for (int64_t i = 0; i < inputs; ++i) {
    switch (dtype) {
      case DType::kF32:
        std::memcpy(&out[i], row + i * 4, 4);
        break;
      case DType::kF16:
        out[i] = HalfToFloat(Half(row + i * 2));
        break;
      case DType::kBF16:
        out[i] = BFloat16ToFloat(Half(row + i * 2));
        break;
      default: {
        const QuantizedBlock block = ReadQuantizedBlock(dtype, row, i / 32);
        for (int64_t j = 0; j < std::min<int64_t>(inputs - i, 32); ++j) {
          const float scale =
              block.scale * static_cast<float>(block.sub_scales[j / 16]);
          const float minimum =
              block.minimum * static_cast<float>(block.sub_minima[j / 16]);
          out[i + j] = scale * static_cast<float>(block.weights[j]) + minimum;
        }
        i += 31;
        break;
      }
    }
  }
}

}  // namespace specinfer::cpu
