// AVX-512 VNNI: unpack a block of 16 outputs once, then eight vpdpbusd for each
// of up to eight rows.
#include "backends/cpu/kernels/linear_kernel.h"
#include "backends/cpu/kernels/unpack_avx512-inl.h"

namespace specinfer::cpu {
namespace {

constexpr int kMaxTileRows = 8;
constexpr int kPrefetchBytes = 3072;  // ahead of the codes being read

inline __m512i Dot4(__m512i sum, const Vectors& w, int first,
                    const ActivationBlock& x) {
#pragma GCC unroll 4
  for (int i = first; i < first + 4; ++i) {
    int32_t four;
    __builtin_memcpy(&four, x.codes + i * 4, 4);
    sum = _mm512_dpbusd_epi32(sum, w.v[i], _mm512_set1_epi32(four));
  }
  return sum;
}

template <int kOffset>
inline __m512i StartOfBlock(const ActivationBlock& x) {
  if constexpr (kOffset == 8) return _mm512_set1_epi32(x.minus_8_sum);
  if constexpr (kOffset == 16) return _mm512_set1_epi32(x.minus_16_sum);
  if constexpr (kOffset == 128) return _mm512_set1_epi32(x.minus_128_sum);
  return _mm512_setzero_si512();
}

template <int kOffset>
inline __m512i StartOfHalf(int32_t minus_32_sum) {
  if constexpr (kOffset == 32) return _mm512_set1_epi32(minus_32_sum);
  if constexpr (kOffset == 4)
    return _mm512_srai_epi32(_mm512_set1_epi32(minus_32_sum), 3);
  return _mm512_setzero_si512();
}

template <int kLayout>
inline __m512 AddBlock(__m512 acc, const Vectors& w, const BlockScales& s,
                       const ActivationBlock& x) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const __m512 scale = _mm512_mul_ps(s.scale, _mm512_set1_ps(x.scale));
  if constexpr (kL.sub_scales == 2) {
    const __m512i low =
        Dot4(StartOfHalf<kL.offset>(x.minus_32_sum_low), w, 0, x);
    const __m512i high =
        Dot4(StartOfHalf<kL.offset>(x.minus_32_sum_high), w, 4, x);
    // Below 2^24, so exact.
    const __m512 sum = _mm512_fmadd_ps(
        _mm512_cvtepi32_ps(low), s.sub_scale[0],
        _mm512_mul_ps(_mm512_cvtepi32_ps(high), s.sub_scale[1]));
    acc = _mm512_fmadd_ps(scale, sum, acc);
    if constexpr (kL.has_minima) {
      const __m512 low_sum =
          _mm512_set1_ps(static_cast<float>(x.minus_32_sum_low / -32));
      const __m512 high_sum =
          _mm512_set1_ps(static_cast<float>(x.minus_32_sum_high / -32));
      const __m512 minima = _mm512_fmadd_ps(
          low_sum, s.sub_minimum[0], _mm512_mul_ps(high_sum, s.sub_minimum[1]));
      acc = _mm512_fnmadd_ps(
          s.minimum, _mm512_mul_ps(_mm512_set1_ps(x.scale), minima), acc);
    }
    return acc;
  }
  const __m512i low = Dot4(StartOfBlock<kL.offset>(x), w, 0, x);
  const __m512i high = Dot4(_mm512_setzero_si512(), w, 4, x);
  acc = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(_mm512_add_epi32(low, high)),
                        acc);
  if constexpr (kL.subtracts_minima) {
    acc = _mm512_fnmadd_ps(s.minimum, _mm512_set1_ps(x.scaled_sum), acc);
  } else if constexpr (kL.has_minima) {
    acc = _mm512_fmadd_ps(s.minimum, _mm512_set1_ps(x.scaled_sum), acc);
  }
  return acc;
}

template <int kRows>
inline void StoreRows(const LinearTile& tile, int64_t first_row,
                      const __m512* acc) {
  const __mmask16 mask =
      static_cast<__mmask16>((1u << NumGroupOutputs(tile)) - 1u);
  const __m512 bias = tile.bias != nullptr
                          ? _mm512_maskz_loadu_ps(mask, tile.bias)
                          : _mm512_setzero_ps();
  float* out = tile.out + first_row * tile.out_stride;
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const __m512 value =
        tile.bias != nullptr ? _mm512_add_ps(acc[r], bias) : acc[r];
    _mm512_mask_storeu_ps(out + r * tile.out_stride, mask, value);
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
  __m512 acc[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) acc[r] = _mm512_setzero_ps();
  for (int64_t b = 0; b < num_blocks; b += kL.header_blocks()) {
    const __m512 scale = LoadScales(header);
    const __m512 minimum =
        kL.has_minima ? LoadScales(header + 32) : _mm512_setzero_ps();
    for (int i = 0; i < kL.header_blocks(); ++i) {
#pragma GCC unroll 8
      for (int line = 0; line < kL.code_bytes; line += 64) {
        _mm_prefetch(
            reinterpret_cast<const char*>(codes) + kPrefetchBytes + line,
            _MM_HINT_T0);
      }
      const Vectors w = Unpack<kL.codes>(codes);
      const BlockScales s = ScalesOfBlock<kLayout>(header, i, scale, minimum);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
        acc[r] = AddBlock<kLayout>(acc[r], w, s, x[r]);
      x += stride;
      codes += kL.code_bytes;
    }
    header += kL.header_bytes();
  }
  StoreRows<kRows>(tile, first_row, acc);
}

template <Codes kCodes>
inline __m512 LoadFloats(const uint8_t* codes) {
  if constexpr (kCodes == Codes::kFloat32) return _mm512_loadu_ps(codes);
  const __m256i packed =
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes));
  if constexpr (kCodes == Codes::kFloat16) return _mm512_cvtph_ps(packed);
  return _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_cvtepu16_epi32(packed), 16));
}

template <int kLayout, int kRows>
void RunFloatRows(const LinearTile& tile, int64_t first_row) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const int64_t inputs = tile.weight->inputs;
  const uint8_t* codes = tile.weight->group(tile.group);
  const float* x = tile.floats + first_row * inputs;
  __m512 acc[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) acc[r] = _mm512_setzero_ps();
  for (int64_t i = 0; i < inputs; ++i) {
    _mm_prefetch(reinterpret_cast<const char*>(codes) + kPrefetchBytes,
                 _MM_HINT_T0);
    const __m512 w = LoadFloats<kL.codes>(codes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
      acc[r] = _mm512_fmadd_ps(w, _mm512_set1_ps(x[r * inputs + i]), acc[r]);
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
  using Rows = void(const LinearTile&, int64_t);
  static constexpr Rows* kRest[kMaxTileRows] = {nullptr,
                                                &RunRows<kLayout, 1>,
                                                &RunRows<kLayout, 2>,
                                                &RunRows<kLayout, 3>,
                                                &RunRows<kLayout, 4>,
                                                &RunRows<kLayout, 5>,
                                                &RunRows<kLayout, 6>,
                                                &RunRows<kLayout, 7>};
  int64_t row = 0;
  for (; row + kMaxTileRows <= tile.num_rows; row += kMaxTileRows)
    RunRows<kLayout, kMaxTileRows>(tile, row);
  if (row < tile.num_rows) kRest[tile.num_rows - row](tile, row);
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

LinearKernel* FindLinearAvx512(DType dtype) { return Find<0>(dtype); }

}  // namespace specinfer::cpu
