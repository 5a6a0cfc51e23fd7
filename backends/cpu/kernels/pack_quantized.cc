// Packs groups of the quantised types: each output's words are read and
// squeezed on their own, then words of 16 outputs are laid side by side.
#include <algorithm>
#include <cstring>

#include "backends/cpu/kernels/pack.h"
#include "backends/cpu/kernels/pack_source.h"

namespace specinfer::cpu {
namespace {

// Writes words [first, first + kCount) of a block of 16 outputs, kCount <= 4.
template <int kCount>
void TransposeWords(const SourceSpan* spans, int block, int first,
                    uint8_t* planes) {
  for (int o = 0; o < kGroupOutputs; o += 4) {
    const Words4 a = LoadWords(spans[o].words[block] + first);
    const Words4 b = LoadWords(spans[o + 1].words[block] + first);
    const Words4 c = LoadWords(spans[o + 2].words[block] + first);
    const Words4 d = LoadWords(spans[o + 3].words[block] + first);
    const Words4 ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    const Words4 ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const Words4 cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const Words4 cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    const Words4 out[4] = {
        __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5),
        __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7),
        __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5),
        __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7)};
    for (int plane = 0; plane < kCount; ++plane)
      std::memcpy(planes + plane * 64 + o * 4, &out[plane], 16);
  }
}

constexpr PackedLayout LayoutOf(DType dtype) {
  for (const PackedLayout& layout : kPackedLayouts) {
    if (layout.dtype == dtype) return layout;
  }
  return {};
}

template <DType kType>
void WriteHeader(const SourceSpan* spans, uint8_t* header) {
  constexpr PackedLayout kLayout = LayoutOf(kType);
  constexpr int kNumScales = kLayout.header_blocks() * kLayout.sub_scales;
  constexpr bool kHasSubMinima =
      kLayout.has_minima && !kLayout.has_nibble_scales() && kNumScales > 0;
  for (int o = 0; o < kGroupOutputs; ++o) {
    std::memcpy(header + o * 2, &spans[o].scale, 2);
    if constexpr (kLayout.has_minima)
      std::memcpy(header + 32 + o * 2, &spans[o].minimum, 2);
  }
  for (int s = 0; s < kNumScales; ++s) {
    uint8_t* scales = header + kLayout.sub_scales_at() + s * kGroupOutputs;
    for (int o = 0; o < kGroupOutputs; ++o) scales[o] = spans[o].sub_scales[s];
  }
  if constexpr (kHasSubMinima) {
    for (int s = 0; s < kNumScales; ++s) {
      uint8_t* minima = header + kLayout.sub_minima_at() + s * kGroupOutputs;
      for (int o = 0; o < kGroupOutputs; ++o)
        minima[o] = spans[o].sub_minima[s];
    }
  }
}

template <DType kType>
void PackGroup(const QuantizedGroup& group, uint8_t* out) {
  constexpr PackedLayout kLayout = LayoutOf(kType);
  constexpr int kNumBlocks = kLayout.header_blocks();
  constexpr int kNumWords = kLayout.code_bytes / 64;
  constexpr int kRunHeaders = kRunBlocks / kNumBlocks;
  static_assert(kNumBlocks <= kMaxSpanBlocks && kNumWords <= kMaxBlockWords);
  SourceSpan spans[kGroupOutputs] = {};  // missing outputs stay zero
  uint8_t* header = nullptr;
  uint8_t* codes = out;
  const size_t span_bytes =
      group.row_bytes / static_cast<size_t>(group.num_headers);
  for (int64_t s = 0; s < group.num_headers; ++s) {
    const uint8_t* source = group.rows + static_cast<size_t>(s) * span_bytes;
    // Rows are too short for the processor to see 16 streams in them.
    const uint8_t* next = s + 1 < group.num_headers
                              ? source + span_bytes
                              : group.rows + kGroupOutputs * group.row_bytes;
    for (int o = 0; o < group.num_outputs; ++o) {
      const size_t row_at = static_cast<size_t>(o) * group.row_bytes;
      if constexpr (kNumBlocks > 1) {
        for (size_t line = 0; line < span_bytes; line += 64)
          __builtin_prefetch(next + row_at + line);
      }
      ReadSpan<kType>(source + row_at, &spans[o]);
    }
    const int64_t num_left = group.num_blocks - s * kNumBlocks;
    if (s % kRunHeaders == 0) {
      header = codes;
      codes += kLayout.HeadersBytes(
          static_cast<int>(std::min<int64_t>(kRunBlocks, num_left)));
    }
    WriteHeader<kType>(spans, header);
    header += kLayout.header_bytes();
    const int num_blocks =
        static_cast<int>(std::min<int64_t>(kNumBlocks, num_left));
    for (int b = 0; b < num_blocks; ++b) {
      TransposeWords<std::min(kNumWords, 4)>(spans, b, 0, codes);
      if constexpr (kNumWords > 4)
        TransposeWords<kNumWords - 4>(spans, b, 4, codes + 256);
      codes += kLayout.code_bytes;
    }
  }
}

}  // namespace

QuantizedGroupPacker* FindQuantizedGroupPacker(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
      return PackGroup<DType::kQ4_0>;
    case DType::kQ4_1:
      return PackGroup<DType::kQ4_1>;
    case DType::kQ5_0:
      return PackGroup<DType::kQ5_0>;
    case DType::kQ5_1:
      return PackGroup<DType::kQ5_1>;
    case DType::kQ8_0:
      return PackGroup<DType::kQ8_0>;
    case DType::kQ2_K:
      return PackGroup<DType::kQ2_K>;
    case DType::kQ3_K:
      return PackGroup<DType::kQ3_K>;
    case DType::kQ4_K:
      return PackGroup<DType::kQ4_K>;
    case DType::kQ5_K:
      return PackGroup<DType::kQ5_K>;
    case DType::kQ6_K:
      return PackGroup<DType::kQ6_K>;
    case DType::kQ8_K:
      return PackGroup<DType::kQ8_K>;
    case DType::kIQ4_NL:
      return PackGroup<DType::kIQ4_NL>;
    case DType::kIQ4_XS:
      return PackGroup<DType::kIQ4_XS>;
    default:
      return nullptr;
  }
}

}  // namespace specinfer::cpu
