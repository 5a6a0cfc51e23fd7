// Weights with whole sub-scales in tiles. A sub-scale is multiplied into its
// codes when they are unpacked, and the products, too wide for a byte, are cut
// into a high and a low byte: then one chain of four tile products per plane
// sums 256 inputs exactly, and floats are touched once per span.
//
// Included by linear_amx-inl.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_SPANS_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_SPANS_INL_H_

namespace specinfer::cpu {
namespace {

constexpr int kSpanTiles = kSpanInputs / kTileInputs;

// One span of a group: code · sub-scale = high · 2^shift + low.
struct alignas(64) UnpackedSpan {
  uint8_t high[kSpanTiles][kTileRows][kTileRowBytes];
  uint8_t low[kSpanTiles][kTileRows][kTileRowBytes];
  float scale[kGroupOutputs];
  float minimum[kGroupOutputs];
  int32_t minimum_pairs[8][kGroupOutputs];  // for vpdpwssd
};

// Σ high · activation and Σ low · activation, [row][output].
struct alignas(64) SpanSums {
  int32_t high[kTileRows][kGroupOutputs];
  int32_t low[kTileRows][kGroupOutputs];
};

// How the products are cut. Codes without a sign times sub-scales of 6 bits:
// the sub-scale is cut into 3 and 3 bits, so 31 · 7 fits a byte without a sign.
// The others are cut at bit 7: the low part is 0 to 127, the high part within
// ±32.
template <int kLayout>
constexpr bool CutsScales() {
  return kPackedLayouts[kLayout].has_minima &&
         kPackedLayouts[kLayout].sub_scales == 1;
}
template <int kLayout>
constexpr int CutShift() {
  return CutsScales<kLayout>() ? 3 : 7;
}

// Unpacking codes without a sign takes so little time that prefetches in it
// would come in a burst.
template <int kLayout>
constexpr bool ReadsAhead() {
  return CutsScales<kLayout>();
}

// Prefetches the weights of a span a few lines at a time, while rows are
// multiplied: a burst would hold up the loads of the rows, and memory would
// wait for the multiplying.
class SpanReader {
 public:
  SpanReader(const LinearTile& tile, int64_t num_spans, int64_t num_panels)
      : next_(tile.weight->group(tile.group) + kBytesAhead),
        end_(next_),
        span_bytes_(static_cast<int64_t>(tile.weight->group_bytes) / num_spans),
        is_hurried_(num_panels == 1) {}

  void BeginSpan() {
    next_ = end_;
    end_ += span_bytes_;
  }
  // A panel takes 8 + 16 steps.
  void Step() {
    Fetch();
    if (is_hurried_) Fetch();
  }

 private:
  static constexpr int64_t kBytesAhead = 8192;

  void Fetch() {
    if (next_ >= end_) return;
    _mm_prefetch(reinterpret_cast<const char*>(next_), _MM_HINT_T1);
    next_ += 64;
  }

  const uint8_t* next_;
  const uint8_t* end_;
  const int64_t span_bytes_;  // headers counted
  const bool is_hurried_;
};

// The number of 16 bits in the low half of each lane, in both halves.
inline __m512i Twice(__m512i a) {
  return _mm512_mask_mov_epi16(a, 0xaaaaaaaau, _mm512_slli_epi32(a, 16));
}

// Two bytes at a time: no product reaches the next byte.
inline void CutByScale(const Vectors& w, __m512i scale, uint8_t* high,
                       uint8_t* low) {
  const __m512i high_scale = Twice(_mm512_srli_epi32(scale, 3));
  const __m512i low_scale =
      Twice(_mm512_and_si512(scale, _mm512_set1_epi32(7)));
#pragma GCC unroll 8
  for (int v = 0; v < kNumVectors; ++v) {
    _mm512_store_si512(high + v * 64, _mm512_mullo_epi16(w.v[v], high_scale));
    _mm512_store_si512(low + v * 64, _mm512_mullo_epi16(w.v[v], low_scale));
  }
}

// (w - offset) · scale, even and odd bytes apart, in 16 bits.
template <int kOffset>
inline void CutProduct(__m512i w, __m512i scale, __m512i offset_product,
                       uint8_t* high, uint8_t* low) {
  constexpr __mmask64 kOdd = 0xaaaaaaaaaaaaaaaaull;
  const __m512i bytes = _mm512_set1_epi16(0x00ff);
  __m512i even = _mm512_mullo_epi16(_mm512_and_si512(w, bytes), scale);
  __m512i odd = _mm512_mullo_epi16(_mm512_srli_epi16(w, 8), scale);
  if constexpr (kOffset != 0) {
    even = _mm512_sub_epi16(even, offset_product);
    odd = _mm512_sub_epi16(odd, offset_product);
  }
  _mm512_store_si512(high,
                     _mm512_mask_mov_epi8(_mm512_srai_epi16(even, 7), kOdd,
                                          _mm512_slli_epi16(odd, 1)));
  _mm512_store_si512(
      low, _mm512_and_si512(
               _mm512_mask_mov_epi8(even, kOdd, _mm512_slli_epi16(odd, 8)),
               _mm512_set1_epi8(0x7f)));
}

template <int kLayout>
inline void UnpackSpanBlock(const uint8_t* header, const uint8_t* codes,
                            int block, uint8_t* high, uint8_t* low) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const Vectors w = Unpack<kL.codes>(codes);
  if constexpr (CutsScales<kLayout>()) {
    CutByScale(w, SubScale<kLayout>(header, block), high, low);
  } else {
    constexpr int kVectorsPerScale = kNumVectors / kL.sub_scales;
    for (int i = 0; i < kL.sub_scales; ++i) {
      const __m512i scale =
          Twice(SubScale<kLayout>(header, block * kL.sub_scales + i));
      const __m512i offset_product =
          _mm512_mullo_epi16(scale, _mm512_set1_epi16(kL.offset));
#pragma GCC unroll 8
      for (int v = i * kVectorsPerScale; v < (i + 1) * kVectorsPerScale; ++v) {
        CutProduct<kL.offset>(w.v[v], scale, offset_product, high + v * 64,
                              low + v * 64);
      }
    }
  }
}

template <int kLayout>
void UnpackSpan(const uint8_t* header, PrefetchAhead ahead, UnpackedSpan* out) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  constexpr int kHeaderBytes = kL.HeadersBytes(kRunBlocks);
  const uint8_t* codes = header + kHeaderBytes;
  if constexpr (!ReadsAhead<kLayout>())
    PrefetchLines(header, kHeaderBytes, ahead);
  for (int b = 0; b < kSpanInputs / kBlockInputs; ++b, codes += kL.code_bytes) {
    if constexpr (!ReadsAhead<kLayout>())
      PrefetchLines(codes, kL.code_bytes, ahead);
    UnpackSpanBlock<kLayout>(header, codes, b, out->high[b / 2][8 * (b % 2)],
                             out->low[b / 2][8 * (b % 2)]);
  }
  _mm512_store_ps(out->scale, LoadScales(header));
  if constexpr (kL.has_minima) {
    constexpr int kPairs = NumPairs<kLayout>();
    _mm512_store_ps(out->minimum, LoadScales(header + 32));
#pragma GCC unroll 8
    for (int i = 0; i < kPairs; ++i) {
      _mm512_store_si512(out->minimum_pairs[i],
                         SubMinimumPair<kLayout>(header, i));
    }
  }
}

// Registers: 0, 1 sums; 2, 3 rows; 4, 5 planes.
constexpr TileShapes SpanShapes(int num_rows) {
  TileShapes shapes;
  for (const int tile : {0, 1, 2, 3}) shapes.Set(tile, num_rows, 64);
  for (const int tile : {4, 5}) shapes.Set(tile, kTileRows, 64);
  return shapes;
}

template <class Tiles, int kLayout, int kTile, int kRows>
inline void MultiplyTile(const ActivationSpan* x, const UnpackedSpan& w,
                         SpanReader* reader) {
  if constexpr (ReadsAhead<kLayout>()) {
    reader->Step();
    reader->Step();
  }
  Tiles::template Load<kRows>(x->codes + kTile * kTileInputs,
                              sizeof(ActivationSpan));
  Tiles::template Load<4>(w.high[kTile], kTileRowBytes);
  Tiles::template Load<5>(w.low[kTile], kTileRowBytes);
  if constexpr (CutsScales<kLayout>()) {
    Tiles::template DotSignedUnsigned<0, kRows, 4>();
    Tiles::template DotSignedUnsigned<1, kRows, 5>();
  } else {
    Tiles::template DotSignedSigned<0, kRows, 4>();
    Tiles::template DotSignedSigned<1, kRows, 5>();
  }
}

template <class Tiles, int kLayout>
inline void MultiplySpan(const ActivationSpan* x, const UnpackedSpan& w,
                         SpanReader* reader, SpanSums* out) {
  Tiles::template Zero<0>();
  Tiles::template Zero<1>();
  MultiplyTile<Tiles, kLayout, 0, 2>(x, w, reader);
  MultiplyTile<Tiles, kLayout, 1, 3>(x, w, reader);
  MultiplyTile<Tiles, kLayout, 2, 2>(x, w, reader);
  MultiplyTile<Tiles, kLayout, 3, 3>(x, w, reader);
  Tiles::template Store<0>(out->high, kTileRowBytes);
  Tiles::template Store<1>(out->low, kTileRowBytes);
}

// Adds one span to `num_rows` rows.
template <int kLayout>
inline void AddSpan(const SpanSums& sums, const UnpackedSpan& w,
                    const ActivationSpan* x, int64_t num_rows,
                    SpanReader* reader, PanelSums* panel) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  [[maybe_unused]] constexpr int kPairs = NumPairs<kLayout>();
  const __m512 scale = _mm512_load_ps(w.scale);
  __m512i pairs[8];
  __m512 minimum = _mm512_setzero_ps();
  if constexpr (kL.has_minima) {
    minimum = _mm512_load_ps(w.minimum);
#pragma GCC unroll 8
    for (int i = 0; i < kPairs; ++i)
      pairs[i] = _mm512_load_si512(w.minimum_pairs[i]);
  }
  for (int64_t r = 0; r < num_rows; ++r) {
    if constexpr (ReadsAhead<kLayout>()) reader->Step();
    const __m512 row_scale = _mm512_set1_ps(x[r].scale);
    const __m512i dot = _mm512_add_epi32(
        _mm512_slli_epi32(_mm512_load_si512(sums.high[r]), CutShift<kLayout>()),
        _mm512_load_si512(sums.low[r]));
    __m512 acc = _mm512_load_ps(panel->rows[r]);
    acc = _mm512_fmadd_ps(_mm512_mul_ps(scale, row_scale),
                          _mm512_cvtepi32_ps(dot), acc);
    if constexpr (kL.has_minima) {
      const int16_t* pair_sums = PairSums<kLayout>(x[r]);
      __m512i minima = _mm512_setzero_si512();
#pragma GCC unroll 8
      for (int i = 0; i < kPairs; ++i) {
        minima = _mm512_dpwssd_epi32(minima, pairs[i],
                                     Broadcast4Bytes(pair_sums + 2 * i));
      }
      acc = _mm512_fnmadd_ps(
          minimum, _mm512_mul_ps(row_scale, _mm512_cvtepi32_ps(minima)), acc);
    }
    _mm512_store_ps(panel->rows[r], acc);
  }
}

// Unpacking,
// multiplying and adding take turns of some hundred cycles: while tiles are
// multiplied, and for a while after, half of the vector multipliers are not to
// be had, so there is nothing to gain from mixing them.
template <class Tiles, int kLayout>
void RunSpanPanels(const LinearTile& tile, const PanelRange& range) {
  const int64_t num_panels = range.num_panels();
  Tiles::Configure(SpanShapes(static_cast<int>(range.RowsOf(0))));
  const int64_t num_spans = tile.weight->inputs / kSpanInputs;
  const uint8_t* header = tile.weight->group(tile.group);
  const ActivationSpan* x = tile.SpansOf(range.first_row);
  UnpackedSpan unpacked;
  SpanSums sums[kMaxPanels];
  PanelSums panels[kMaxPanels] = {};
  const auto span_of = [&](int64_t panel, int64_t s) {
    return x + panel * kPanelRows * num_spans + s * range.RowsOf(panel);
  };
  SpanReader reader(tile, num_spans, num_panels);
  for (int64_t s = 0; s < num_spans; ++s) {
    reader.BeginSpan();
    UnpackSpan<kLayout>(header, tile.ahead, &unpacked);
    header += kPackedLayouts[kLayout].RunBytes(kRunBlocks);
    for (int64_t p = 0; p < num_panels; ++p) {
      MultiplySpan<Tiles, kLayout>(span_of(p, s), unpacked, &reader, &sums[p]);
    }
    for (int64_t p = 0; p < num_panels; ++p) {
      AddSpan<kLayout>(sums[p], unpacked, span_of(p, s), range.RowsOf(p),
                       &reader, &panels[p]);
    }
  }
  for (int64_t p = 0; p < num_panels; ++p) {
    StorePanel(tile, range.first_row + p * kPanelRows, range.RowsOf(p),
               panels[p]);
  }
  Tiles::Release();
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_SPANS_INL_H_
