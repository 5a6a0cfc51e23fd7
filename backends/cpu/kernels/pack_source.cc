// Reads the blocks of quantised GGUF types as codes, scales and minima.
// Layouts: ggml-common.h and gguf-py/gguf/quants.py of llama.cpp.
#include <cstring>

#include "backends/cpu/kernels/pack.h"

namespace specinfer::cpu {
namespace {

uint16_t LoadHalf(const uint8_t* bytes) {
  uint16_t half;
  std::memcpy(&half, bytes, sizeof(half));
  return half;
}

// 16 bytes hold inputs 0…15 in their low and 16…31 in their high nibbles.
void ReadNibbles(const uint8_t* quants, uint8_t* codes) {
  for (int i = 0; i < 16; ++i) codes[i] = quants[i] & 0x0f;
  for (int i = 0; i < 16; ++i)
    codes[16 + i] = static_cast<uint8_t>(quants[i] >> 4);
}

// Adds bit i of a 32-bit mask to code i, as bit 4. Eight at a time: copy a byte
// of the mask to eight bytes, keep bit i of byte i, and make it 1 or 0.
void AddFifthBits(const uint8_t* mask_bytes, uint8_t* codes) {
  for (int byte = 0; byte < 4; ++byte) {
    const uint64_t kept = mask_bytes[byte] * uint64_t{0x0101010101010101} &
                          uint64_t{0x8040201008040201};
    const uint64_t ones =
        (kept + 0x7f7f7f7f7f7f7f7f) >> 7 & uint64_t{0x0101010101010101};
    uint64_t eight;
    std::memcpy(&eight, codes + byte * 8, 8);
    eight |= ones << 4;
    std::memcpy(codes + byte * 8, &eight, 8);
  }
}

void ReadQ4_0(const uint8_t* row, int64_t index, SourceBlock* out) {
  const uint8_t* block = row + index * 18;
  out->scale = LoadHalf(block);
  ReadNibbles(block + 2, out->codes);
}

void ReadQ4_1(const uint8_t* row, int64_t index, SourceBlock* out) {
  const uint8_t* block = row + index * 20;
  out->scale = LoadHalf(block);
  out->minimum = LoadHalf(block + 2);
  ReadNibbles(block + 4, out->codes);
}

void ReadQ5_0(const uint8_t* row, int64_t index, SourceBlock* out) {
  const uint8_t* block = row + index * 22;
  out->scale = LoadHalf(block);
  ReadNibbles(block + 6, out->codes);
  AddFifthBits(block + 2, out->codes);
}

void ReadQ5_1(const uint8_t* row, int64_t index, SourceBlock* out) {
  const uint8_t* block = row + index * 24;
  out->scale = LoadHalf(block);
  out->minimum = LoadHalf(block + 2);
  ReadNibbles(block + 8, out->codes);
  AddFifthBits(block + 4, out->codes);
}

void ReadQ8_0(const uint8_t* row, int64_t index, SourceBlock* out) {
  const uint8_t* block = row + index * 34;
  out->scale = LoadHalf(block);
  for (int i = 0; i < kBlockInputs; ++i)
    out->codes[i] = static_cast<uint8_t>(block[2 + i] ^ 0x80);
}

void ReadIq4Nl(const uint8_t* row, int64_t index, SourceBlock* out) {
  ReadQ4_0(row, index, out);
}

// scales[16], quants[64], d, dmin: per 128 inputs, 32 bytes hold four blocks of
// 32 in their bit pairs.
void ReadQ2K(const uint8_t* row, int64_t index, SourceBlock* out) {
  const uint8_t* super = row + index / 8 * 84;
  const int b = static_cast<int>(index % 8);
  const uint8_t* quants = super + 16 + b / 4 * 32;
  const int shift = 2 * (b % 4);
  for (int i = 0; i < kBlockInputs; ++i)
    out->codes[i] = static_cast<uint8_t>((quants[i] >> shift) & 3);
  out->scale = LoadHalf(super + 80);
  out->minimum = LoadHalf(super + 82);
  for (int half = 0; half < 2; ++half) {
    out->sub_scales[half] = super[b * 2 + half] & 0x0f;
    out->sub_minima[half] = static_cast<uint8_t>(super[b * 2 + half] >> 4);
  }
}

// hmask[32], quants[64], scales[12], d.
void ReadQ3K(const uint8_t* row, int64_t index, SourceBlock* out) {
  const uint8_t* super = row + index / 8 * 110;
  const int b = static_cast<int>(index % 8);
  const uint8_t* quants = super + 32 + b / 4 * 32;
  const uint8_t* scales = super + 96;
  const int shift = 2 * (b % 4);
  for (int i = 0; i < kBlockInputs; ++i) {
    out->codes[i] = static_cast<uint8_t>(((quants[i] >> shift) & 3) |
                                         (((super[i] >> b) & 1) << 2));
  }
  out->scale = LoadHalf(super + 108);
  for (int half = 0; half < 2; ++half) {
    const int s = b * 2 + half;
    const int low = s < 8 ? scales[s] & 0x0f : scales[s - 8] >> 4;
    const int high = (scales[8 + s % 4] >> (2 * (s / 4))) & 3;
    out->sub_scales[half] = static_cast<uint8_t>((low | (high << 4)) - 32);
  }
}

// The 6-bit scales and minima of Q4_K and Q5_K in 12 bytes.
void ReadScaleAndMinimum(const uint8_t* scales, int b, SourceBlock* out) {
  if (b < 4) {
    out->sub_scales[0] = scales[b] & 63;
    out->sub_minima[0] = scales[b + 4] & 63;
  } else {
    out->sub_scales[0] = static_cast<uint8_t>((scales[b + 4] & 0x0f) |
                                              ((scales[b - 4] >> 6) << 4));
    out->sub_minima[0] =
        static_cast<uint8_t>((scales[b + 4] >> 4) | ((scales[b] >> 6) << 4));
  }
}

// 32 bytes hold two blocks of 32 in their nibbles.
void ReadBlockNibbles(const uint8_t* quants, int b, uint8_t* codes) {
  const uint8_t* bytes = quants + b / 2 * 32;
  if (b % 2 == 0) {
    for (int i = 0; i < kBlockInputs; ++i) codes[i] = bytes[i] & 0x0f;
  } else {
    for (int i = 0; i < kBlockInputs; ++i)
      codes[i] = static_cast<uint8_t>(bytes[i] >> 4);
  }
}

// d, dmin, scales[12], quants[128].
void ReadQ4K(const uint8_t* row, int64_t index, SourceBlock* out) {
  const uint8_t* super = row + index / 8 * 144;
  const int b = static_cast<int>(index % 8);
  out->scale = LoadHalf(super);
  out->minimum = LoadHalf(super + 2);
  ReadScaleAndMinimum(super + 4, b, out);
  ReadBlockNibbles(super + 16, b, out->codes);
}

// d, dmin, scales[12], qh[32], quants[128].
void ReadQ5K(const uint8_t* row, int64_t index, SourceBlock* out) {
  const uint8_t* super = row + index / 8 * 176;
  const int b = static_cast<int>(index % 8);
  out->scale = LoadHalf(super);
  out->minimum = LoadHalf(super + 2);
  ReadScaleAndMinimum(super + 4, b, out);
  ReadBlockNibbles(super + 48, b, out->codes);
  const uint8_t* high = super + 16;
  for (int i = 0; i < kBlockInputs; ++i)
    out->codes[i] |= static_cast<uint8_t>(((high[i] >> b) & 1) << 4);
}

// ql[128], qh[64], scales[16], d: per 128 inputs, ql's 64 bytes and qh's 32
// bytes hold four blocks of 32.
void ReadQ6K(const uint8_t* row, int64_t index, SourceBlock* out) {
  const uint8_t* super = row + index / 8 * 210;
  const int b = static_cast<int>(index % 8);
  const uint8_t* low = super + b / 4 * 64 + b % 2 * 32;
  const uint8_t* high = super + 128 + b / 4 * 32;
  const int low_shift = b % 4 / 2 * 4;
  const int high_shift = 2 * (b % 4);
  for (int i = 0; i < kBlockInputs; ++i) {
    out->codes[i] = static_cast<uint8_t>(((low[i] >> low_shift) & 0x0f) |
                                         (((high[i] >> high_shift) & 3) << 4));
  }
  out->scale = LoadHalf(super + 208);
  out->sub_scales[0] = super[192 + b * 2];
  out->sub_scales[1] = super[192 + b * 2 + 1];
}

// d, scales_h, scales_l[4], quants[128].
void ReadIq4Xs(const uint8_t* row, int64_t index, SourceBlock* out) {
  const uint8_t* super = row + index / 8 * 136;
  const int b = static_cast<int>(index % 8);
  out->scale = LoadHalf(super);
  const int low = (super[4 + b / 2] >> (b % 2 * 4)) & 0x0f;
  const int high = (LoadHalf(super + 2) >> (2 * b)) & 3;
  out->sub_scales[0] = static_cast<uint8_t>((low | (high << 4)) - 32);
  ReadNibbles(super + 8 + b * 16, out->codes);
}

}  // namespace

SourceReader FindSourceReader(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
      return ReadQ4_0;
    case DType::kQ4_1:
      return ReadQ4_1;
    case DType::kQ5_0:
      return ReadQ5_0;
    case DType::kQ5_1:
      return ReadQ5_1;
    case DType::kQ8_0:
      return ReadQ8_0;
    case DType::kQ2_K:
      return ReadQ2K;
    case DType::kQ3_K:
      return ReadQ3K;
    case DType::kQ4_K:
      return ReadQ4K;
    case DType::kQ5_K:
      return ReadQ5K;
    case DType::kQ6_K:
      return ReadQ6K;
    case DType::kIQ4_NL:
      return ReadIq4Nl;
    case DType::kIQ4_XS:
      return ReadIq4Xs;
    default:
      return nullptr;
  }
}

}  // namespace specinfer::cpu
