// NEON with dot products: a block's weights are unpacked, four outputs at a
// time, once for up to four rows; one sdot by element is four outputs times
// four inputs.
#include "backends/cpu/kernels/linear_kernel.h"
#include "backends/cpu/kernels/unpack_neon-inl.h"

namespace specinfer::cpu {
namespace {

// 4 rows × 16 outputs are 16 accumulators; the other half of the registers
// holds eight vectors of weights, a row's codes and the scales.
constexpr int kMaxTileRows = 4;
static_assert(kPanelRows % kMaxTileRows == 0);
constexpr int kNumQuads = kGroupOutputs / 4;
constexpr int kPrefetchBytes = 1024;  // ahead of the codes being read

// `sum` plus the dots of vectors [4 · half, 4 · half + 4).
inline int32x4_t Dot4(int32x4_t sum, const Vectors& w, int half,
                      const ActivationBlock& x) {
  const int8x16_t codes = vld1q_s8(x.codes + 16 * half);
  sum = vdotq_laneq_s32(sum, w.v[4 * half], codes, 0);
  sum = vdotq_laneq_s32(sum, w.v[4 * half + 1], codes, 1);
  sum = vdotq_laneq_s32(sum, w.v[4 * half + 2], codes, 2);
  return vdotq_laneq_s32(sum, w.v[4 * half + 3], codes, 3);
}

template <int kOffset>
inline int32x4_t StartOfBlock(const ActivationBlock& x) {
  if constexpr (kOffset == 8) return vdupq_n_s32(x.minus_8_sum);
  if constexpr (kOffset == 16) return vdupq_n_s32(x.minus_16_sum);
  return vdupq_n_s32(0);  // 128: these weights keep their signs
}

template <int kOffset>
inline int32x4_t StartOfHalf(int32_t minus_32_sum) {
  if constexpr (kOffset == 32) return vdupq_n_s32(minus_32_sum);
  if constexpr (kOffset == 4) return vdupq_n_s32(minus_32_sum >> 3);
  return vdupq_n_s32(0);
}

template <int kLayout>
inline float32x4_t AddBlock(float32x4_t acc, const Vectors& w,
                            const BlockScales& s, const ActivationBlock& x) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const float32x4_t scale = vmulq_n_f32(s.scale, x.scale);
  if constexpr (kL.sub_scales == 2) {
    const int32x4_t low =
        Dot4(StartOfHalf<kL.offset>(x.minus_32_sum_low), w, 0, x);
    const int32x4_t high =
        Dot4(StartOfHalf<kL.offset>(x.minus_32_sum_high), w, 1, x);
    // Below 2^24, so as exact in integers as in floats.
    const int32x4_t sum =
        vmlaq_s32(vmulq_s32(high, s.sub_scale[1]), low, s.sub_scale[0]);
    acc = vfmaq_f32(acc, scale, vcvtq_f32_s32(sum));
    if constexpr (kL.has_minima) {
      const int32x4_t minima = vmlaq_n_s32(
          vmulq_n_s32(s.sub_minimum[1], -(x.minus_32_sum_high >> 5)),
          s.sub_minimum[0], -(x.minus_32_sum_low >> 5));
      acc = vfmsq_f32(acc, s.minimum,
                      vmulq_n_f32(vcvtq_f32_s32(minima), x.scale));
    }
    return acc;
  }
  int32x4_t dot = Dot4(StartOfBlock<kL.offset>(x), w, 0, x);
  dot = Dot4(dot, w, 1, x);
  acc = vfmaq_f32(acc, scale, vcvtq_f32_s32(dot));
  if constexpr (kL.subtracts_minima) {
    acc = vfmsq_n_f32(acc, s.minimum, x.scaled_sum);
  } else if constexpr (kL.has_minima) {
    acc = vfmaq_n_f32(acc, s.minimum, x.scaled_sum);
  }
  return acc;
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

template <int kLayout, int kRows>
void RunQuantizedRows(const LinearTile& tile, int64_t first_row) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const int64_t num_blocks = tile.weight->inputs / kBlockInputs;
  const uint8_t* header = tile.weight->group(tile.group);
  const uint8_t* codes = header + tile.weight->codes_at;
  const ActivationBlock* x = tile.blocks + PanelOffset(num_blocks, first_row);
  const int64_t stride = PanelStride(tile.num_rows, first_row);
  Vec16 acc[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) acc[r] = Zero();
  for (int64_t b = 0; b < num_blocks; b += kL.header_blocks()) {
    for (int i = 0; i < kL.header_blocks(); ++i) {
#pragma GCC unroll 8
      for (int line = 0; line < kL.code_bytes; line += 64)
        __builtin_prefetch(codes + kPrefetchBytes + line);
#pragma GCC unroll 4
      for (int quad = 0; quad < kNumQuads; ++quad) {
        const Vectors w = Unpack<kL.codes>(codes, quad);
        const BlockScales s = ScalesOfBlock<kLayout>(header, i, quad);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r)
          acc[r].v[quad] = AddBlock<kLayout>(acc[r].v[quad], w, s, x[r]);
      }
      x += stride;
      codes += kL.code_bytes;
    }
    header += kL.header_bytes();
  }
  StoreRows<kRows>(tile, first_row, acc);
}

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
  if constexpr (kPackedLayouts[kLayout].is_float()) {
    RunFloatRows<kLayout, kRows>(tile, first_row);
  } else {
    RunQuantizedRows<kLayout, kRows>(tile, first_row);
  }
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
