// AVX2: a group is done in two halves of eight outputs; a block's weights are
// unpacked once for up to four rows.
#include "backends/cpu/kernels/linear_kernel.h"
#include "backends/cpu/kernels/vec16_avx2.h"

namespace specinfer::cpu {
namespace {

constexpr int kMaxTileRows = 4;
constexpr int kPrefetchBytes = 3072;  // ahead of the codes being read

// Weights with a sign are kept as magnitudes beside their signs, since maddubs
// wants one unsigned side and saturates: |w| <= 128 times |x| <= 127, two at a
// time, stays below 2^15.
constexpr bool HasSign(Codes codes) {
  return codes == Codes::k8Bit || codes == Codes::kSigned8 ||
         codes == Codes::kTable4;
}

// How many results of maddubs may be added in 16 bits.
constexpr int NumSafeAdds(Codes codes) {
  switch (codes) {
    case Codes::k2Bit:
    case Codes::k3Bit:
    case Codes::k4Bit:
      return 8;  // 15 · 127 · 2 · 8 = 30480
    case Codes::k5Bit:
      return 4;
    case Codes::k6Bit:
      return 2;
    default:
      return 1;
  }
}

struct Vectors {
  __m256i v[kNumVectors];
};

// Half `half` (eight outputs) of a plane of 64 bytes.
inline __m256i LoadPlane(const uint8_t* codes, int plane, int half) {
  return _mm256_loadu_si256(
      reinterpret_cast<const __m256i*>(codes + plane * 64 + half * 32));
}

inline __m256i MaskedShift(__m256i a, int shift, int mask) {
  return _mm256_and_si256(_mm256_srli_epi16(a, shift),
                          _mm256_set1_epi8(static_cast<char>(mask)));
}

inline void UnpackNibbles(const uint8_t* codes, int half, Vectors* w) {
  for (int i = 0; i < 4; ++i) {
    const __m256i plane = LoadPlane(codes, i, half);
    w->v[i] = MaskedShift(plane, 0, 0x0f);
    w->v[4 + i] = MaskedShift(plane, 4, 0x0f);
  }
}

inline void UnpackPairs(const uint8_t* codes, int half, Vectors* w) {
  for (int i = 0; i < kNumVectors; ++i)
    w->v[i] = MaskedShift(LoadPlane(codes, i / 4, half), i % 4 * 2, 3);
}

// Adds bit i of `bits` to vector i, as bit `to`.
inline void AddTopBits(__m256i bits, int to, Vectors* w) {
  for (int i = 0; i < kNumVectors; ++i) {
    w->v[i] = _mm256_or_si256(w->v[i],
                              _mm256_slli_epi16(MaskedShift(bits, i, 1), to));
  }
}

inline void UnpackSixBits(const uint8_t* codes, int half, Vectors* w) {
  for (int part = 0; part < 2; ++part) {
    const __m256i a = LoadPlane(codes, part * 3, half);
    const __m256i b = LoadPlane(codes, part * 3 + 1, half);
    const __m256i c = LoadPlane(codes, part * 3 + 2, half);
    w->v[part * 3] = MaskedShift(a, 0, 0x3f);
    w->v[part * 3 + 1] = MaskedShift(b, 0, 0x3f);
    w->v[part * 3 + 2] = MaskedShift(c, 0, 0x3f);
    w->v[6 + part] = _mm256_or_si256(
        _mm256_or_si256(MaskedShift(a, 6, 0x03), MaskedShift(b, 4, 0x0c)),
        MaskedShift(c, 2, 0x30));
  }
}

template <Codes kCodes>
inline void Unpack(const uint8_t* codes, int half, Vectors* w) {
  if constexpr (kCodes == Codes::k2Bit) UnpackPairs(codes, half, w);
  if constexpr (kCodes == Codes::k3Bit) {
    UnpackPairs(codes, half, w);
    AddTopBits(LoadPlane(codes, 2, half), 2, w);
  }
  if constexpr (kCodes == Codes::k4Bit) UnpackNibbles(codes, half, w);
  if constexpr (kCodes == Codes::k5Bit) {
    UnpackNibbles(codes, half, w);
    AddTopBits(LoadPlane(codes, 4, half), 4, w);
  }
  if constexpr (kCodes == Codes::k6Bit) UnpackSixBits(codes, half, w);
  if constexpr (kCodes == Codes::k8Bit) {
    for (int i = 0; i < kNumVectors; ++i) {
      w->v[i] =
          _mm256_xor_si256(LoadPlane(codes, i, half), _mm256_set1_epi8(-128));
    }
  }
  if constexpr (kCodes == Codes::kSigned8) {
    for (int i = 0; i < kNumVectors; ++i) w->v[i] = LoadPlane(codes, i, half);
  }
  if constexpr (kCodes == Codes::kTable4) {
    UnpackNibbles(codes, half, w);
    const __m256i table = _mm256_broadcastsi128_si256(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(kTable4Values)));
    for (int i = 0; i < kNumVectors; ++i)
      w->v[i] = _mm256_shuffle_epi8(table, w->v[i]);
  }
}

inline __m256i Broadcast4Bytes(const void* bytes) {
  int32_t four;
  __builtin_memcpy(&four, bytes, 4);
  return _mm256_set1_epi32(four);
}

// `sum` plus scale · the dots of vectors [first, last). `scale` is a number of
// 16 bits, twice in each lane.
template <Codes kCodes>
inline __m256i AddDots(__m256i sum, const Vectors& w, int first, int last,
                       const int8_t* codes, __m256i scale) {
  constexpr int kAdds = NumSafeAdds(kCodes);
  for (int i = first; i < last; i += kAdds) {
    __m256i pairs = _mm256_setzero_si256();
    for (int j = i; j < i + kAdds && j < last; ++j) {
      const __m256i activations = Broadcast4Bytes(codes + j * 4);
      const __m256i products =
          HasSign(kCodes)
              ? _mm256_maddubs_epi16(_mm256_abs_epi8(w.v[j]),
                                     _mm256_sign_epi8(activations, w.v[j]))
              : _mm256_maddubs_epi16(w.v[j], activations);
      pairs = _mm256_add_epi16(pairs, products);
    }
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, scale));
  }
  return sum;
}

inline __m256 LoadScales(const uint8_t* halves, int half) {
  return _mm256_cvtph_ps(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(halves + half * 16)));
}

inline void PrefetchLines(const uint8_t* bytes, int num_bytes) {
  for (int line = 0; line < num_bytes; line += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(bytes) + kPrefetchBytes + line,
                 _MM_HINT_T0);
  }
}

template <int kRows>
inline void StoreRows(const LinearTile& tile, int64_t first_row,
                      const Vec16* acc) {
  const int num_outputs = NumGroupOutputs(tile);
  float* out = tile.out + first_row * tile.out_stride;
  for (int r = 0; r < kRows; ++r) {
    const Vec16 value = tile.bias != nullptr
                            ? Add(acc[r], LoadFirst(tile.bias, num_outputs))
                            : acc[r];
    StoreFirst(out + r * tile.out_stride, value, num_outputs);
  }
}

// ---- Types with a scale per 32 inputs ---------------------------------------

template <int kOffset>
inline __m256i StartOfBlock(const ActivationBlock& x) {
  if constexpr (kOffset == 8) return _mm256_set1_epi32(x.minus_8_sum);
  if constexpr (kOffset == 16) return _mm256_set1_epi32(x.minus_16_sum);
  return _mm256_setzero_si256();  // 128: these weights keep their signs
}

template <int kLayout, int kRows>
void RunBlockHalf(const LinearTile& tile, int64_t first_row, int half,
                  __m256* sums) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const int64_t num_blocks = tile.weight->inputs / kBlockInputs;
  const uint8_t* header = nullptr;
  const uint8_t* codes = tile.weight->group(tile.group);
  const ActivationBlock* x = tile.BlocksOf(first_row);
  const int64_t stride = PanelStride(tile.num_rows, first_row);
  __m256 acc[kRows];
  for (int r = 0; r < kRows; ++r) acc[r] = _mm256_setzero_ps();
  for (int64_t b = 0; b < num_blocks; ++b) {
    if (b % kRunBlocks == 0) {
      header = codes;
      codes += kL.HeadersBytes(tile.weight->NumRunBlocks(b));
      PrefetchLines(header, static_cast<int>(codes - header));
    }
    PrefetchLines(codes, kL.code_bytes);
    Vectors w;
    Unpack<kL.codes>(codes, half, &w);
    const __m256 scale = LoadScales(header, half);
    const __m256 minimum =
        kL.has_minima ? LoadScales(header + 32, half) : _mm256_setzero_ps();
    for (int r = 0; r < kRows; ++r) {
      const __m256i dot =
          AddDots<kL.codes>(StartOfBlock<kL.offset>(x[r]), w, 0, kNumVectors,
                            x[r].codes, _mm256_set1_epi16(1));
      acc[r] = _mm256_fmadd_ps(_mm256_mul_ps(scale, _mm256_set1_ps(x[r].scale)),
                               _mm256_cvtepi32_ps(dot), acc[r]);
      if constexpr (kL.has_minima) {
        acc[r] =
            _mm256_fmadd_ps(minimum, _mm256_set1_ps(x[r].scaled_sum), acc[r]);
      }
    }
    x += stride;
    codes += kL.code_bytes;
    header += kL.header_bytes();
  }
  for (int r = 0; r < kRows; ++r) sums[r] = acc[r];
}

// ---- Types with a scale per 256 inputs and whole numbers below it -----------

// Sub-scale `index` of the span, in the low 16 bits of each lane; the high ones
// are 0.
template <int kLayout>
inline __m256i SubScale(const uint8_t* header, int index, int half) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(
      header + kL.sub_scales_at() + index * kGroupOutputs + half * 8));
  if constexpr (kL.has_nibble_scales())
    return _mm256_cvtepu8_epi32(_mm_and_si128(bytes, _mm_set1_epi8(0x0f)));
  if constexpr (kL.has_minima) return _mm256_cvtepu8_epi32(bytes);
  return _mm256_and_si256(_mm256_cvtepi8_epi32(bytes),
                          _mm256_set1_epi32(0xffff));
}

template <int kLayout>
inline __m256i SubMinimum(const uint8_t* header, int index, int half) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const int at =
      kL.has_nibble_scales() ? kL.sub_scales_at() : kL.sub_minima_at();
  __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(
      header + at + index * kGroupOutputs + half * 8));
  if constexpr (kL.has_nibble_scales())
    bytes = _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(0x0f));
  return _mm256_cvtepu8_epi32(bytes);
}

// What pmaddwd multiplies: `first` in the low 16 bits of each lane.
inline __m256i PairUp(__m256i first, __m256i second) {
  return _mm256_or_si256(first, _mm256_slli_epi32(second, 16));
}

template <int kLayout, int kRows>
void RunSpanHalf(const LinearTile& tile, int64_t first_row, int half,
                 __m256* out) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  constexpr int kNumScales = kL.sub_scales > 0 ? kL.sub_scales : 1;
  constexpr int kVectorsPerScale = kNumVectors / kNumScales;
  const int64_t num_spans = NumSpans(tile.weight->inputs);
  const uint8_t* header = tile.weight->group(tile.group);
  const ActivationSpan* x = tile.SpansOf(first_row);
  const int64_t stride = PanelStride(tile.num_rows, first_row);
  __m256 acc[kRows];
  for (int r = 0; r < kRows; ++r) acc[r] = _mm256_setzero_ps();
  for (int64_t s = 0; s < num_spans; ++s) {
    __m256i sums[kRows], minima[kRows], offsets[kRows];
    for (int r = 0; r < kRows; ++r)
      sums[r] = minima[r] = offsets[r] = _mm256_setzero_si256();
    constexpr int kHeaderBytes = kL.HeadersBytes(kRunBlocks);
    PrefetchLines(header, kHeaderBytes);
    const uint8_t* codes = header + kHeaderBytes;
    const int num_blocks = NumSpanBlocks<kLayout>(tile, s);
    for (int b = 0; b < num_blocks; ++b, codes += kL.code_bytes) {
      PrefetchLines(codes, kL.code_bytes);
      Vectors w;
      Unpack<kL.codes>(codes, half, &w);
      for (int i = 0; i < kNumScales; ++i) {
        const __m256i scale =
            kL.sub_scales == 0
                ? _mm256_set1_epi32(1)
                : SubScale<kLayout>(header, b * kL.sub_scales + i, half);
        const __m256i twice = PairUp(scale, scale);
        for (int r = 0; r < kRows; ++r) {
          sums[r] = AddDots<kL.codes>(sums[r], w, i * kVectorsPerScale,
                                      (i + 1) * kVectorsPerScale,
                                      x[r].codes + b * kBlockInputs, twice);
        }
      }
      // Codes of 2, 3 and 6 bits: of the two halves of a block.
      if constexpr (kL.sub_scales == 2 && kL.offset != 0) {
        const __m256i pair = PairUp(SubScale<kLayout>(header, 2 * b, half),
                                    SubScale<kLayout>(header, 2 * b + 1, half));
        for (int r = 0; r < kRows; ++r) {
          offsets[r] = _mm256_add_epi32(
              offsets[r],
              _mm256_madd_epi16(pair, Broadcast4Bytes(x[r].sums + 2 * b)));
        }
      }
      if constexpr (kL.has_minima) {
        if (kL.sub_scales == 1 && b % 2 == 1) continue;
        const int first = kL.sub_scales * b;
        const __m256i pair =
            PairUp(SubMinimum<kLayout>(header, first, half),
                   SubMinimum<kLayout>(header, first + 1, half));
        for (int r = 0; r < kRows; ++r) {
          const int16_t* pair_sums =
              kL.sub_scales == 2 ? x[r].sums + 2 * b : x[r].pair_sums + b;
          minima[r] = _mm256_add_epi32(
              minima[r], _mm256_madd_epi16(pair, Broadcast4Bytes(pair_sums)));
        }
      }
    }
    const __m256 scale = LoadScales(header, half);
    const __m256 minimum =
        kL.has_minima ? LoadScales(header + 32, half) : _mm256_setzero_ps();
    for (int r = 0; r < kRows; ++r) {
      constexpr int kShift = kL.offset == 32 ? 5 : 2;
      if constexpr (kL.sub_scales == 2 && kL.offset != 0) {
        sums[r] =
            _mm256_sub_epi32(sums[r], _mm256_slli_epi32(offsets[r], kShift));
      }
      const __m256 row_scale = _mm256_set1_ps(x[r].scale);
      acc[r] = _mm256_fmadd_ps(_mm256_mul_ps(scale, row_scale),
                               _mm256_cvtepi32_ps(sums[r]), acc[r]);
      if constexpr (kL.has_minima) {
        acc[r] = _mm256_fnmadd_ps(
            minimum, _mm256_mul_ps(row_scale, _mm256_cvtepi32_ps(minima[r])),
            acc[r]);
      }
    }
    x += stride;
    header = codes;
  }
  for (int r = 0; r < kRows; ++r) out[r] = acc[r];
}

template <Codes kCodes>
inline Vec16 LoadFloats(const uint8_t* codes) {
  if constexpr (kCodes == Codes::kFloat32)
    return Load(reinterpret_cast<const float*>(codes));
  if constexpr (kCodes == Codes::kFloat16)
    return LoadHalves(reinterpret_cast<const uint16_t*>(codes));
  const auto widen = [](const uint8_t* halves) {
    const __m128i packed =
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(halves));
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_cvtepu16_epi32(packed), 16));
  };
  return {widen(codes), widen(codes + 16)};
}

template <int kLayout, int kRows>
void RunFloatRows(const LinearTile& tile, int64_t first_row, Vec16* acc) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const int64_t inputs = tile.weight->inputs;
  const uint8_t* codes = tile.weight->group(tile.group);
  const float* x = tile.floats + first_row * inputs;
  for (int64_t i = 0; i < inputs; ++i) {
    _mm_prefetch(reinterpret_cast<const char*>(codes) + kPrefetchBytes,
                 _MM_HINT_T0);
    const Vec16 w = LoadFloats<kL.codes>(codes);
    for (int r = 0; r < kRows; ++r)
      acc[r] = Fma(w, Broadcast(x[r * inputs + i]), acc[r]);
    codes += kL.code_bytes;
  }
}

template <int kLayout, int kRows>
void RunRows(const LinearTile& tile, int64_t first_row) {
  Vec16 acc[kRows];
  if constexpr (kPackedLayouts[kLayout].is_float()) {
    for (int r = 0; r < kRows; ++r) acc[r] = Zero();
    RunFloatRows<kLayout, kRows>(tile, first_row, acc);
  } else {
    __m256 low[kRows], high[kRows];
    constexpr auto kRun =
        kPackedLayouts[kLayout].activations() == Activations::kSpans
            ? &RunSpanHalf<kLayout, kRows>
            : &RunBlockHalf<kLayout, kRows>;
    kRun(tile, first_row, 0, low);
    kRun(tile, first_row, 1, high);
    for (int r = 0; r < kRows; ++r) acc[r] = {low[r], high[r]};
  }
  StoreRows<kRows>(tile, first_row, acc);
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

LinearKernel* FindLinearAvx2(DType dtype) { return Find<0>(dtype); }

}  // namespace specinfer::cpu
