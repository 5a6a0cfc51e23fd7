// NEON with dot products: a block's weights are unpacked, four outputs at a
// time, once for up to four rows; one sdot by element is four outputs times
// four inputs.
#include "backends/cpu/kernels/linear_kernel.h"
#include "backends/cpu/kernels/unpack_neon-inl.h"

namespace specinfer::cpu {
namespace {

// 4 rows × 16 outputs are 16 accumulators; the other half of the registers
// holds eight vectors of weights, the dots, the rows' codes and the scales.
constexpr int kMaxTileRows = 4;
static_assert(kPanelRows % kMaxTileRows == 0);
constexpr int kNumQuads = kGroupOutputs / 4;
constexpr int kPrefetchBytes = 1024;  // ahead of the codes being read

// Adds vector `first` + kLane times four codes of each row.
template <int kLane, int kRows>
inline void DotLane(const Vectors& w, int first, const int8x16_t* codes,
                    int32x4_t* dots) {
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r)
    dots[r] = vdotq_laneq_s32(dots[r], w.v[first + kLane], codes[r], kLane);
}

// Adds the dots of 16 inputs of each row: vectors `first` to `first` + 3. Rows
// take turns, so that no sum waits for itself.
template <int kRows>
inline void Dot16(const Vectors& w, int first, const int8x16_t* codes,
                  int32x4_t* dots) {
  DotLane<0, kRows>(w, first, codes, dots);
  DotLane<1, kRows>(w, first, codes, dots);
  DotLane<2, kRows>(w, first, codes, dots);
  DotLane<3, kRows>(w, first, codes, dots);
}

inline void PrefetchLines(const uint8_t* bytes, int num_bytes) {
#pragma GCC unroll 8
  for (int line = 0; line < num_bytes; line += 64)
    __builtin_prefetch(bytes + kPrefetchBytes + line);
}

template <int kRows>
inline void StoreRows(const LinearTile& tile, int64_t first_row,
                      const Vec16* acc) {
  const int num_outputs = NumGroupOutputs(tile);
  float* out = tile.out + first_row * tile.out_stride;
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    const Vec16 value = tile.bias != nullptr
                            ? Add(acc[r], LoadFirst(tile.bias, num_outputs))
                            : acc[r];
    StoreFirst(out + r * tile.out_stride, value, num_outputs);
  }
}

// ---- Types with a scale per 32 inputs ---------------------------------------

template <int kOffset>
inline int32x4_t StartOfBlock(const ActivationBlock& x) {
  if constexpr (kOffset == 8) return vdupq_n_s32(x.minus_8_sum);
  if constexpr (kOffset == 16) return vdupq_n_s32(x.minus_16_sum);
  return vdupq_n_s32(0);  // 128: these weights keep their signs
}

template <int kLayout, int kRows>
inline void AddBlock(const uint8_t* header, const uint8_t* codes,
                     const ActivationBlock* x, int quad, Vec16* acc) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const Vectors w = Unpack<kL.codes>(codes, quad);
  const float32x4_t scale = LoadScales(header, quad);
  int32x4_t dots[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) dots[r] = StartOfBlock<kL.offset>(x[r]);
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    int8x16_t row_codes[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r)
      row_codes[r] = vld1q_s8(x[r].codes + 16 * half);
    Dot16<kRows>(w, 4 * half, row_codes, dots);
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    float32x4_t& sum = acc[r].v[quad];
    sum =
        vfmaq_f32(sum, vmulq_n_f32(scale, x[r].scale), vcvtq_f32_s32(dots[r]));
    if constexpr (kL.has_minima)
      sum = vfmaq_n_f32(sum, LoadScales(header + 32, quad), x[r].scaled_sum);
  }
}

template <int kLayout, int kRows>
void RunBlockRows(const LinearTile& tile, int64_t first_row) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const int64_t num_blocks = tile.weight->inputs / kBlockInputs;
  const uint8_t* header = nullptr;
  const uint8_t* codes = tile.weight->group(tile.group);
  const ActivationBlock* x = tile.BlocksOf(first_row);
  const int64_t stride = PanelStride(tile.num_rows, first_row);
  Vec16 acc[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) acc[r] = Zero();
  for (int64_t b = 0; b < num_blocks; ++b) {
    if (b % kRunBlocks == 0) {
      header = codes;
      codes += kL.HeadersBytes(tile.weight->NumRunBlocks(b));
      PrefetchLines(header, static_cast<int>(codes - header));
    }
    PrefetchLines(codes, kL.code_bytes);
#pragma GCC unroll 4
    for (int quad = 0; quad < kNumQuads; ++quad)
      AddBlock<kLayout, kRows>(header, codes, x, quad, acc);
    x += stride;
    codes += kL.code_bytes;
    header += kL.header_bytes();
  }
  StoreRows<kRows>(tile, first_row, acc);
}

// ---- Types with a scale per 256 inputs and whole numbers below it -----------

// 16 whole numbers.
struct Whole16 {
  int32x4_t v[kNumQuads];
};

template <int kOffset>
inline int32x4_t StartOfHalf(int sum) {
  // 128: these weights keep their signs.
  return vdupq_n_s32(kOffset == 128 ? 0 : -kOffset * sum);
}

// Adds scale · Σ codes · weights of block `b` of the span.
template <int kLayout, int kRows>
inline void AddBlockOfSpan(const uint8_t* header, const uint8_t* codes, int b,
                           const ActivationSpan* x, int quad, Whole16* sums) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const Vectors w = Unpack<kL.codes>(codes, quad);
  int32x4_t dots[kRows];
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    int8x16_t row_codes[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      row_codes[r] = vld1q_s8(x[r].codes + b * kBlockInputs + 16 * half);
      if (half == 0 || kL.sub_scales == 2)
        dots[r] = StartOfHalf<kL.offset>(x[r].sums[2 * b + half]);
    }
    Dot16<kRows>(w, 4 * half, row_codes, dots);
    if (half == 0 && kL.sub_scales < 2) continue;
    if constexpr (kL.sub_scales == 0) {
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r)
        sums[r].v[quad] = vaddq_s32(sums[r].v[quad], dots[r]);
      continue;
    }
    const int index = kL.sub_scales == 2 ? 2 * b + half : b;
    const int32x4_t scale = SubScale<kLayout>(header, index, quad);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r)
      sums[r].v[quad] = vmlaq_s32(sums[r].v[quad], dots[r], scale);
  }
}

// Takes the sums of a span, and its minima.
template <int kLayout, int kRows>
inline void AddSpan(const uint8_t* header, const ActivationSpan* x, int quad,
                    const Whole16* sums, Vec16* acc) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const float32x4_t scale = LoadScales(header, quad);
  int32x4_t minima[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    float32x4_t& sum = acc[r].v[quad];
    sum = vfmaq_f32(sum, vmulq_n_f32(scale, x[r].scale),
                    vcvtq_f32_s32(sums[r].v[quad]));
    minima[r] = vdupq_n_s32(0);
  }
  if constexpr (kL.has_minima) {
    constexpr int kCount = kL.header_blocks() * kL.sub_scales;
#pragma GCC unroll 16
    for (int i = 0; i < kCount; ++i) {
      const int16x4_t minimum = SubMinimum<kLayout>(header, i, quad);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        minima[r] =
            vmlal_n_s16(minima[r], minimum,
                        kL.sub_scales == 2 ? x[r].sums[i] : x[r].pair_sums[i]);
      }
    }
    const float32x4_t minimum = LoadScales(header + 32, quad);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      acc[r].v[quad] =
          vfmsq_f32(acc[r].v[quad], minimum,
                    vmulq_n_f32(vcvtq_f32_s32(minima[r]), x[r].scale));
    }
  }
}

template <int kLayout, int kRows>
void RunSpanRows(const LinearTile& tile, int64_t first_row) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const int64_t num_spans = NumSpans(tile.weight->inputs);
  const uint8_t* header = tile.weight->group(tile.group);
  const ActivationSpan* x = tile.SpansOf(first_row);
  const int64_t stride = PanelStride(tile.num_rows, first_row);
  Vec16 acc[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) acc[r] = Zero();
  for (int64_t s = 0; s < num_spans; ++s) {
    Whole16 sums[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int quad = 0; quad < kNumQuads; ++quad)
        sums[r].v[quad] = vdupq_n_s32(0);
    }
    constexpr int kHeaderBytes = kL.HeadersBytes(kRunBlocks);
    PrefetchLines(header, kHeaderBytes);
    const uint8_t* codes = header + kHeaderBytes;
    const int num_blocks = NumSpanBlocks<kLayout>(tile, s);
    for (int b = 0; b < num_blocks; ++b) {
      PrefetchLines(codes, kL.code_bytes);
#pragma GCC unroll 4
      for (int quad = 0; quad < kNumQuads; ++quad)
        AddBlockOfSpan<kLayout, kRows>(header, codes, b, x, quad, sums);
      codes += kL.code_bytes;
    }
#pragma GCC unroll 4
    for (int quad = 0; quad < kNumQuads; ++quad)
      AddSpan<kLayout, kRows>(header, x, quad, sums, acc);
    x += stride;
    header = codes;
  }
  StoreRows<kRows>(tile, first_row, acc);
}

// ---- Float types ------------------------------------------------------------

template <Codes kCodes>
inline Vec16 LoadFloats(const uint8_t* codes) {
  if constexpr (kCodes == Codes::kFloat32)
    return Load(reinterpret_cast<const float*>(codes));
  const uint16_t* halves = reinterpret_cast<const uint16_t*>(codes);
  if constexpr (kCodes == Codes::kFloat16) return LoadHalves(halves);
  const auto widen = [](const uint16_t* p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
  };
  return {widen(halves), widen(halves + 4), widen(halves + 8),
          widen(halves + 12)};
}

template <int kLayout, int kRows>
void RunFloatRows(const LinearTile& tile, int64_t first_row) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const int64_t inputs = tile.weight->inputs;
  const uint8_t* codes = tile.weight->group(tile.group);
  const float* x = tile.floats + first_row * inputs;
  Vec16 acc[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) acc[r] = Zero();
  for (int64_t i = 0; i < inputs; ++i) {
    __builtin_prefetch(codes + kPrefetchBytes);
    const Vec16 w = LoadFloats<kL.codes>(codes);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r)
      acc[r] = Fma(w, Broadcast(x[r * inputs + i]), acc[r]);
    codes += kL.code_bytes;
  }
  StoreRows<kRows>(tile, first_row, acc);
}

template <int kLayout, int kRows>
inline void RunRows(const LinearTile& tile, int64_t first_row) {
  constexpr Activations kInput = kPackedLayouts[kLayout].activations();
  if constexpr (kInput == Activations::kFloats)
    RunFloatRows<kLayout, kRows>(tile, first_row);
  if constexpr (kInput == Activations::kBlocks)
    RunBlockRows<kLayout, kRows>(tile, first_row);
  if constexpr (kInput == Activations::kSpans)
    RunSpanRows<kLayout, kRows>(tile, first_row);
}

template <int kLayout>
void RunTile(const LinearTile& tile) {
  int64_t row = 0;
  for (; row + kMaxTileRows <= tile.num_rows; row += kMaxTileRows)
    RunRows<kLayout, kMaxTileRows>(tile, row);
  if (tile.num_rows - row == 1) RunRows<kLayout, 1>(tile, row);
  if (tile.num_rows - row == 2) RunRows<kLayout, 2>(tile, row);
  if (tile.num_rows - row == 3) RunRows<kLayout, 3>(tile, row);
}

template <int kLayout>
LinearKernel* Find(DType dtype) {
  if constexpr (kLayout < kNumPackedLayouts) {
    return kPackedLayouts[kLayout].dtype == dtype ? &RunTile<kLayout>
                                                  : Find<kLayout + 1>(dtype);
  }
  return nullptr;
}

}  // namespace

LinearKernel* FindLinearNeon(DType dtype) { return Find<0>(dtype); }

}  // namespace specinfer::cpu
