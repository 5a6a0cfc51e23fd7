// AVX-512 VNNI: unpack a block of 16 outputs once, then eight vpdpbusd for each
// of up to eight rows.
#include "backends/cpu/kernels/linear_kernel.h"
#include "backends/cpu/kernels/unpack_avx512-inl.h"

namespace specinfer::cpu {
namespace {

constexpr int kMaxTileRows = 8;
constexpr int kPrefetchBytes = 3072;  // ahead of the codes being read

// Σ codes · weights of vectors [first, first + count). GCC 12 takes two more
// instructions per product for the builtins: a broadcast, and copies of sums.
template <int kCount>
inline __m512i Dot(__m512i sum, const Vectors& w, int first,
                   const int8_t* codes) {
#pragma GCC unroll 8
  for (int i = first; i < first + kCount; ++i)
    asm("vpdpbusd %2%{1to16%}, %1, %0"
        : "+v"(sum)
        : "v"(w.v[i]),
          "m"(*reinterpret_cast<const int8_t(*)[4]>(codes + i * 4)));
  return sum;
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

// ---- Types with a scale per 32 inputs ---------------------------------------

template <int kOffset>
inline __m512i StartOfBlock(const ActivationBlock& x) {
  if constexpr (kOffset == 8) return _mm512_set1_epi32(x.minus_8_sum);
  if constexpr (kOffset == 16) return _mm512_set1_epi32(x.minus_16_sum);
  if constexpr (kOffset == 128) return _mm512_set1_epi32(x.minus_128_sum);
  return _mm512_setzero_si512();
}

template <int kLayout, int kRows>
void RunBlockRows(const LinearTile& tile, int64_t first_row) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const int64_t num_blocks = tile.weight->inputs / kBlockInputs;
  const uint8_t* codes = tile.weight->group(tile.group);
  const ActivationBlock* x = tile.BlocksOf(first_row);
  const int64_t stride = PanelStride(tile.num_rows, first_row);
  __m512 acc[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) acc[r] = _mm512_setzero_ps();
  const uint8_t* header = nullptr;
  for (int64_t b = 0; b < num_blocks; ++b) {
    if (b % kRunBlocks == 0) {
      header = codes;
      codes += kL.HeadersBytes(tile.weight->NumRunBlocks(b));
      PrefetchLines(header, static_cast<int>(codes - header), tile.ahead);
    }
    PrefetchLines(codes, kL.code_bytes, tile.ahead);
    const __m512 scale = LoadScales(header);
    const __m512 minimum =
        kL.has_minima ? LoadScales(header + 32) : _mm512_setzero_ps();
    const Vectors w = Unpack<kL.codes>(codes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const __m512i low =
          Dot<4>(StartOfBlock<kL.offset>(x[r]), w, 0, x[r].codes);
      const __m512i high = Dot<4>(_mm512_setzero_si512(), w, 4, x[r].codes);
      acc[r] = _mm512_fmadd_ps(_mm512_mul_ps(scale, _mm512_set1_ps(x[r].scale)),
                               _mm512_cvtepi32_ps(_mm512_add_epi32(low, high)),
                               acc[r]);
      if constexpr (kL.has_minima) {
        acc[r] =
            _mm512_fmadd_ps(minimum, _mm512_set1_ps(x[r].scaled_sum), acc[r]);
      }
    }
    x += stride;
    codes += kL.code_bytes;
    header += kL.header_bytes();
  }
  StoreRows<kRows>(tile, first_row, acc);
}

// ---- Types with a scale per 256 inputs and whole numbers below it -----------

// Whether the sums of both halves of a block fit 16 bits, so that vpdpwssd adds
// them times the scale, which then stands twice in a lane.
template <int kLayout>
constexpr bool HasPairedScale() {
  return kPackedLayouts[kLayout].codes == Codes::k4Bit;
}

// What a block needs beside its codes: one sub-scale, or those of its halves
// and -offset times both for vpdpwssd.
template <int kLayout>
inline void LoadBlockScales(const uint8_t* header, int b, __m512i* scales) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  for (int i = 0; i < kL.sub_scales; ++i)
    scales[i] = SubScale<kLayout>(header, b * kL.sub_scales + i);
  if constexpr (HasPairedScale<kLayout>())
    scales[0] = PairUp(scales[0], scales[0]);
  if constexpr (kL.sub_scales == 2 && kL.offset != 0) {
    // 32 · 128 fits 16 bits.
    scales[2] =
        _mm512_mullo_epi16(PairUp(scales[0], scales[1]),
                           _mm512_set1_epi16(static_cast<int16_t>(-kL.offset)));
  }
}

// scale · Σ codes · weights of block `b`, added to `sum`.
template <int kLayout>
inline __m512i AddBlock(__m512i sum, const Vectors& w, const __m512i* scales,
                        const ActivationSpan& x, int b) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const int8_t* codes = x.codes + b * kBlockInputs;
  if constexpr (kL.sub_scales == 2) {
    if constexpr (kL.offset != 0)
      sum =
          _mm512_dpwssd_epi32(sum, scales[2], Broadcast4Bytes(x.sums + 2 * b));
    const __m512i low = Dot<4>(_mm512_setzero_si512(), w, 0, codes);
    const __m512i high = Dot<4>(_mm512_setzero_si512(), w, 4, codes);
    return _mm512_add_epi32(
        _mm512_add_epi32(sum, _mm512_mullo_epi32(low, scales[0])),
        _mm512_mullo_epi32(high, scales[1]));
  }
  static_assert(kL.sub_scales == 2 || kL.offset == 0 || kL.offset == 128);
  const __m512i start = kL.offset == 128
                            ? _mm512_set1_epi32(x.pair_sums[b] * -128)
                            : _mm512_setzero_si512();
  // Two chains, as one is long to wait for.
  const __m512i low = Dot<4>(start, w, 0, codes);
  const __m512i high = Dot<4>(_mm512_setzero_si512(), w, 4, codes);
  if constexpr (kL.sub_scales == 0)
    return _mm512_add_epi32(sum, _mm512_add_epi32(low, high));
  // 15 · 127 · 16 fits 16 bits.
  if constexpr (HasPairedScale<kLayout>())
    return _mm512_dpwssd_epi32(sum, PairUp(low, high), scales[0]);
  return _mm512_add_epi32(
      sum, _mm512_mullo_epi32(_mm512_add_epi32(low, high), scales[0]));
}

// Σ minimum · Σ codes of a span.
template <int kLayout>
inline __m512i SumMinima(const __m512i* pairs, const ActivationSpan& x) {
  constexpr int kPairs = NumPairs<kLayout>();
  const int16_t* sums = PairSums<kLayout>(x);
  __m512i sum = _mm512_setzero_si512();
#pragma GCC unroll 8
  for (int i = 0; i < kPairs; ++i)
    sum = _mm512_dpwssd_epi32(sum, pairs[i], Broadcast4Bytes(sums + 2 * i));
  return sum;
}

template <int kLayout, int kRows>
void RunSpanRows(const LinearTile& tile, int64_t first_row) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const int64_t num_spans = NumSpans(tile.weight->inputs);
  const uint8_t* header = tile.weight->group(tile.group);
  const ActivationSpan* x = tile.SpansOf(first_row);
  const int64_t stride = PanelStride(tile.num_rows, first_row);
  __m512 acc[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) acc[r] = _mm512_setzero_ps();
  for (int64_t s = 0; s < num_spans; ++s) {
    __m512i sums[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) sums[r] = _mm512_setzero_si512();
    constexpr int kHeaderBytes = kL.HeadersBytes(kRunBlocks);
    PrefetchLines(header, kHeaderBytes, tile.ahead);
    const uint8_t* codes = header + kHeaderBytes;
    const int num_blocks = NumSpanBlocks<kLayout>(tile, s);
    for (int b = 0; b < num_blocks; ++b) {
      PrefetchLines(codes, kL.code_bytes, tile.ahead);
      const Vectors w = Unpack<kL.codes>(codes);
      __m512i scales[3];
      LoadBlockScales<kLayout>(header, b, scales);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
        sums[r] = AddBlock<kLayout>(sums[r], w, scales, x[r], b);
      codes += kL.code_bytes;
    }
    const __m512 scale = LoadScales(header);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      acc[r] = _mm512_fmadd_ps(_mm512_mul_ps(scale, _mm512_set1_ps(x[r].scale)),
                               _mm512_cvtepi32_ps(sums[r]), acc[r]);
    }
    if constexpr (kL.has_minima) {
      constexpr int kPairs = NumPairs<kLayout>();
      __m512i pairs[kPairs];
#pragma GCC unroll 8
      for (int i = 0; i < kPairs; ++i)
        pairs[i] = SubMinimumPair<kLayout>(header, i);
      const __m512 minimum = LoadScales(header + 32);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m512 sum =
            _mm512_mul_ps(_mm512_set1_ps(x[r].scale),
                          _mm512_cvtepi32_ps(SumMinima<kLayout>(pairs, x[r])));
        acc[r] = _mm512_fnmadd_ps(minimum, sum, acc[r]);
      }
    }
    x += stride;
    header = codes;
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
