// Reads quantised GGUF rows into the words of the packed layouts: four codes of
// each plane side by side, so that packing a group only transposes words.
// Layouts: ggml-common.h and gguf-py/gguf/quants.py of llama.cpp.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_PACK_SOURCE_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_PACK_SOURCE_H_

#include <cstdint>
#include <cstring>

#include "backends/cpu/kernels/pack.h"

namespace specinfer::cpu {

inline constexpr int kMaxSpanBlocks = 8;
inline constexpr int kMaxBlockWords = 8;

// The inputs that share one header, of one output.
struct SourceSpan {
  // [block][plane]: the output's four bytes of each plane.
  uint32_t words[kMaxSpanBlocks][kMaxBlockWords];
  uint16_t scale;                          // half
  uint16_t minimum;                        // half
  uint8_t sub_scales[2 * kMaxSpanBlocks];  // as the header holds them
  uint8_t sub_minima[kMaxSpanBlocks];
};

// Reads the span at `source` of a row of kType.
template <DType kType>
void ReadSpan(const uint8_t* source, SourceSpan* out);

// ---- Parts that types share -------------------------------------------------

inline uint16_t LoadHalf(const uint8_t* bytes) {
  uint16_t half;
  std::memcpy(&half, bytes, sizeof(half));
  return half;
}

inline uint32_t LoadWord(const uint8_t* bytes) {
  uint32_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

using Words4 [[gnu::vector_size(16)]] = uint32_t;

inline Words4 LoadWords(const void* bytes) {
  Words4 words;
  std::memcpy(&words, bytes, sizeof(words));
  return words;
}

// Exchanges the bits of `word` at `mask` with those `shift` above.
inline uint32_t SwapBits(uint32_t word, int shift, uint32_t mask) {
  const uint32_t difference = ((word >> shift) ^ word) & mask;
  return word ^ difference ^ (difference << shift);
}

// Bit 4·v + i becomes bit 8·i + v: the mask of 32 fifth bits as one plane's
// word. The five bits of an index turn by three places, as four exchanges.
inline uint32_t PlaneOfMask(uint32_t mask) {
  mask = SwapBits(mask, 14, 0x0000cccc);
  mask = SwapBits(mask, 7, 0x00aa00aa);
  mask = SwapBits(mask, 2, 0x0c0c0c0c);
  return SwapBits(mask, 1, 0x22222222);
}

// Exchanges the low fields of `high`, at `mask`, with those `shift` above in
// `low`.
inline void SwapFields(uint32_t& low, uint32_t& high, int shift,
                       uint32_t mask) {
  const uint32_t difference = ((low >> shift) ^ high) & mask;
  high ^= difference;
  low ^= difference << shift;
}

// In each byte column: bit b of word v becomes bit v of word b.
inline void TransposeBits(uint32_t (&words)[8]) {
  for (int v = 0; v < 4; ++v) SwapFields(words[v], words[v + 4], 4, 0x0f0f0f0f);
  for (const int v : {0, 1, 4, 5})
    SwapFields(words[v], words[v + 2], 2, 0x33333333);
  for (int v = 0; v < 8; v += 2)
    SwapFields(words[v], words[v + 1], 1, 0x55555555);
}

// In each byte column: bit pair b of word v becomes bit pair v of word b.
inline void TransposeBitPairs(uint32_t (&words)[4]) {
  for (int v = 0; v < 2; ++v) SwapFields(words[v], words[v + 2], 4, 0x0f0f0f0f);
  for (int v = 0; v < 4; v += 2)
    SwapFields(words[v], words[v + 1], 2, 0x33333333);
}

// 16 bytes that hold inputs 0…15 low and 16…31 high are the planes already.
inline void ReadNibbles(const uint8_t* quants, uint32_t* words) {
  std::memcpy(words, quants, 16);
}

// 32 bytes hold one block of 32 low and the next high.
inline void ReadNibbleBlocks(const uint8_t* quants, uint32_t* first,
                             uint32_t* second) {
  for (int i = 0; i < 4; ++i) {
    const uint32_t low = LoadWord(quants + 4 * i);
    const uint32_t high = LoadWord(quants + 16 + 4 * i);
    first[i] = (low & 0x0f0f0f0f) | (high & 0x0f0f0f0f) << 4;
    second[i] = (low >> 4 & 0x0f0f0f0f) | (high & 0xf0f0f0f0);
  }
}

// 32 bytes of one bit per block become word `plane` of eight blocks.
inline void ReadBitBlocks(const uint8_t* bits, int plane, SourceSpan* out) {
  uint32_t words[8];
  std::memcpy(words, bits, sizeof(words));
  TransposeBits(words);
  for (int b = 0; b < 8; ++b) out->words[b][plane] = words[b];
}

// 64 bytes, of which 32 hold four blocks in their bit pairs, become words 0 and
// 1 of eight blocks.
inline void ReadBitPairBlocks(const uint8_t* quants, SourceSpan* out) {
  for (int part = 0; part < 4; ++part) {
    uint32_t words[4];
    std::memcpy(words, quants + part * 16, sizeof(words));
    TransposeBitPairs(words);
    for (int b = 0; b < 4; ++b)
      out->words[part / 2 * 4 + b][part % 2] = words[b];
  }
}

// The 6-bit scales and minima of Q4_K and Q5_K in 12 bytes.
inline void ReadScalesAndMinima(const uint8_t* bytes, SourceSpan* out) {
  const uint32_t scales = LoadWord(bytes);
  const uint32_t minima = LoadWord(bytes + 4);
  const uint32_t rest = LoadWord(bytes + 8);
  const uint32_t words[4] = {
      scales & 0x3f3f3f3f,
      (rest & 0x0f0f0f0f) | (scales >> 6 & 0x03030303) << 4,
      minima & 0x3f3f3f3f,
      (rest >> 4 & 0x0f0f0f0f) | (minima >> 6 & 0x03030303) << 4};
  std::memcpy(out->sub_scales, words, 8);
  std::memcpy(out->sub_minima, words + 2, 8);
}

// Four bits of each of 32 bytes and two of 32 others are a block of Q6_K.
template <int kLowShift, int kHighShift>
void ReadSixBitBlock(const uint8_t* low, const uint8_t* high, uint32_t* words) {
  const auto codes = [&](int v) {
    return (LoadWords(low + 4 * v) >> kLowShift & 0x0f0f0f0f) |
           (LoadWords(high + 4 * v) >> kHighShift & 0x03030303) << 4;
  };
  Words4 first = codes(0);
  Words4 last = codes(4);
  const Words4 spread = {last[2], last[2] >> 2, last[2] >> 4, last[3]};
  first |= (spread & 0x03030303) << 6;
  std::memcpy(words, &first, sizeof(first));
  words[4] = last[0] | (last[3] >> 2 & 0x03030303) << 6;
  words[5] = last[1] | (last[3] >> 4 & 0x03030303) << 6;
}

// ---- Types ------------------------------------------------------------------

template <>
inline void ReadSpan<DType::kQ4_0>(const uint8_t* source, SourceSpan* out) {
  out->scale = LoadHalf(source);
  ReadNibbles(source + 2, out->words[0]);
}

template <>
inline void ReadSpan<DType::kIQ4_NL>(const uint8_t* source, SourceSpan* out) {
  ReadSpan<DType::kQ4_0>(source, out);
}

template <>
inline void ReadSpan<DType::kQ4_1>(const uint8_t* source, SourceSpan* out) {
  out->scale = LoadHalf(source);
  out->minimum = LoadHalf(source + 2);
  ReadNibbles(source + 4, out->words[0]);
}

template <>
inline void ReadSpan<DType::kQ5_0>(const uint8_t* source, SourceSpan* out) {
  out->scale = LoadHalf(source);
  ReadNibbles(source + 6, out->words[0]);
  out->words[0][4] = PlaneOfMask(LoadWord(source + 2));
}

template <>
inline void ReadSpan<DType::kQ5_1>(const uint8_t* source, SourceSpan* out) {
  out->scale = LoadHalf(source);
  out->minimum = LoadHalf(source + 2);
  ReadNibbles(source + 8, out->words[0]);
  out->words[0][4] = PlaneOfMask(LoadWord(source + 4));
}

template <>
inline void ReadSpan<DType::kQ8_0>(const uint8_t* source, SourceSpan* out) {
  out->scale = LoadHalf(source);
  for (int i = 0; i < 8; ++i)
    out->words[0][i] = LoadWord(source + 2 + 4 * i) ^ 0x80808080;
}

// scales[16], quants[64], d, dmin. A byte of scales is a scale and a minimum as
// the header wants them.
template <>
inline void ReadSpan<DType::kQ2_K>(const uint8_t* source, SourceSpan* out) {
  std::memcpy(out->sub_scales, source, 16);
  ReadBitPairBlocks(source + 16, out);
  out->scale = LoadHalf(source + 80);
  out->minimum = LoadHalf(source + 82);
}

// hmask[32], quants[64], scales[12], d.
template <>
inline void ReadSpan<DType::kQ3_K>(const uint8_t* source, SourceSpan* out) {
  ReadBitPairBlocks(source + 32, out);
  ReadBitBlocks(source, /*plane=*/2, out);
  const uint8_t* scales = source + 96;
  for (int s = 0; s < 16; ++s) {
    const int low = s < 8 ? scales[s] & 0x0f : scales[s - 8] >> 4;
    const int high = (scales[8 + s % 4] >> (2 * (s / 4))) & 3;
    out->sub_scales[s] = static_cast<uint8_t>((low | (high << 4)) - 32);
  }
  out->scale = LoadHalf(source + 108);
}

// d, dmin, scales[12], quants[128].
template <>
inline void ReadSpan<DType::kQ4_K>(const uint8_t* source, SourceSpan* out) {
  out->scale = LoadHalf(source);
  out->minimum = LoadHalf(source + 2);
  ReadScalesAndMinima(source + 4, out);
  for (int b = 0; b < 8; b += 2)
    ReadNibbleBlocks(source + 16 + b * 16, out->words[b], out->words[b + 1]);
}

// d, dmin, scales[12], qh[32], quants[128].
template <>
inline void ReadSpan<DType::kQ5_K>(const uint8_t* source, SourceSpan* out) {
  out->scale = LoadHalf(source);
  out->minimum = LoadHalf(source + 2);
  ReadScalesAndMinima(source + 4, out);
  ReadBitBlocks(source + 16, /*plane=*/4, out);
  for (int b = 0; b < 8; b += 2)
    ReadNibbleBlocks(source + 48 + b * 16, out->words[b], out->words[b + 1]);
}

// ql[128], qh[64], scales[16], d: per 128 inputs, ql's 64 bytes and qh's 32
// bytes hold four blocks of 32.
template <>
inline void ReadSpan<DType::kQ6_K>(const uint8_t* source, SourceSpan* out) {
  for (int part = 0; part < 2; ++part) {
    const uint8_t* low = source + part * 64;
    const uint8_t* high = source + 128 + part * 32;
    ReadSixBitBlock<0, 0>(low, high, out->words[part * 4]);
    ReadSixBitBlock<0, 2>(low + 32, high, out->words[part * 4 + 1]);
    ReadSixBitBlock<4, 4>(low, high, out->words[part * 4 + 2]);
    ReadSixBitBlock<4, 6>(low + 32, high, out->words[part * 4 + 3]);
  }
  std::memcpy(out->sub_scales, source + 192, 16);
  out->scale = LoadHalf(source + 208);
}

// d, quants[256].
template <>
inline void ReadSpan<DType::kQ8_K>(const uint8_t* source, SourceSpan* out) {
  out->scale = LoadHalf(source);
  std::memcpy(out->words, source + 2, sizeof(out->words));
}

// d, scales_h, scales_l[4], quants[128].
template <>
inline void ReadSpan<DType::kIQ4_XS>(const uint8_t* source, SourceSpan* out) {
  out->scale = LoadHalf(source);
  const int high_bits = LoadHalf(source + 2);
  for (int b = 0; b < 8; ++b) {
    const int low = (source[4 + b / 2] >> (b % 2 * 4)) & 0x0f;
    const int high = (high_bits >> (2 * b)) & 3;
    out->sub_scales[b] = static_cast<uint8_t>((low | (high << 4)) - 32);
    ReadNibbles(source + 8 + b * 16, out->words[b]);
  }
}

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_PACK_SOURCE_H_
