// Weights with a scale per 32 inputs in tiles: 16 rows × 16 outputs × 32 inputs
// per product, which is then scaled and added in floats.
//
// 256 inputs of a group are unpacked at a time; then the panels of rows pass
// over them. While the tiles of one block are multiplied, the sums of the block
// before are added. The multipliers of port 5 belong to the tiles meanwhile, so
// whole numbers become floats by two additions, which have another port.
//
// Included by linear_amx-inl.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_BLOCKS_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_BLOCKS_INL_H_

namespace specinfer::cpu {
namespace {

// One block of a group, unpacked, offsets subtracted.
struct alignas(64) UnpackedBlock {
  int8_t codes[kNumVectors * 64];
  float scale[kGroupOutputs];
  float minimum[kGroupOutputs];
};

// Σ code · activation of one block, [row][output].
struct alignas(64) BlockSums {
  int32_t rows[kTileRows][kGroupOutputs];
};

// Registers: 0 sums, 1 rows, 2 codes.
constexpr TileShapes BlockShapes(int num_rows) {
  TileShapes shapes;
  shapes.Set(0, num_rows, 64);
  shapes.Set(1, num_rows, kBlockInputs);
  shapes.Set(2, kBlockInputs / 4, 64);
  return shapes;
}

template <class Tiles>
inline void MultiplyBlock(const ActivationBlock* x, const UnpackedBlock& w,
                          BlockSums* out) {
  Tiles::template Zero<0>();
  Tiles::template Load<1>(x->codes, sizeof(ActivationBlock));
  Tiles::template Load<2>(w.codes, kTileRowBytes);
  Tiles::template DotSignedSigned<0, 1, 2>();
  Tiles::template Store<0>(out->rows, kTileRowBytes);
}

// |a| < 2^22: a + 1.5 · 2^23 is a float whose last bits are a.
inline __m512 ToFloats(__m512i a) {
  const __m512i bits = _mm512_add_epi32(a, _mm512_set1_epi32(0x4b400000));
  return _mm512_sub_ps(_mm512_castsi512_ps(bits), _mm512_set1_ps(12582912.0f));
}

// Adds one block to the accumulators of kRows rows.
template <int kLayout, int kRows>
inline void AddBlock(const BlockSums& sums, const UnpackedBlock& w,
                     const ActivationBlock* x, __m512* acc) {
  const __m512 scale = _mm512_load_ps(w.scale);
  [[maybe_unused]] const __m512 minimum = _mm512_load_ps(w.minimum);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    acc[r] = _mm512_fmadd_ps(_mm512_mul_ps(scale, _mm512_set1_ps(x[r].scale)),
                             ToFloats(_mm512_load_si512(sums.rows[r])), acc[r]);
    if constexpr (kPackedLayouts[kLayout].has_minima) {
      acc[r] =
          _mm512_fmadd_ps(minimum, _mm512_set1_ps(x[r].scaled_sum), acc[r]);
    }
  }
}

// Adds `num_blocks` blocks to kRows rows of a panel, `stride` rows wide. Rows
// that the panel lacks compute what nobody reads.
template <class Tiles, int kLayout, int kRows>
void AddBlocks(const ActivationBlock* x, int64_t stride, const UnpackedBlock* w,
               int64_t num_blocks, PanelSums* panel) {
  constexpr int kAhead = 2;
  BlockSums sums[4];
  __m512 acc[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) acc[r] = _mm512_load_ps(panel->rows[r]);
  for (int64_t b = 0; b < kAhead && b < num_blocks; ++b)
    MultiplyBlock<Tiles>(x + b * stride, w[b], &sums[b]);
  for (int64_t b = 0; b < num_blocks; ++b) {
    if (b + kAhead < num_blocks) {
      MultiplyBlock<Tiles>(x + kAhead * stride, w[b + kAhead],
                           &sums[(b + kAhead) % 4]);
    }
    AddBlock<kLayout, kRows>(sums[b % 4], w[b], x, acc);
    x += stride;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) _mm512_store_ps(panel->rows[r], acc[r]);
}

// Unpacks the run at block `begin` of a group.
template <int kLayout>
void UnpackRun(const LinearTile& tile, int64_t begin, UnpackedBlock* out) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const int count = tile.weight->NumRunBlocks(begin);
  const uint8_t* header = tile.weight->group(tile.group) +
                          begin / kRunBlocks * kL.RunBytes(kRunBlocks);
  const uint8_t* codes = header + kL.HeadersBytes(count);
  PrefetchLines(header, kL.HeadersBytes(count), tile.ahead);
  const __m512i offset = _mm512_set1_epi8(static_cast<char>(kL.offset));
  for (int b = 0; b < count; ++b, ++out) {
    PrefetchLines(codes, kL.code_bytes, tile.ahead);
    const Vectors w = Unpack<kL.codes>(codes);
#pragma GCC unroll 8
    for (int v = 0; v < kNumVectors; ++v) {
      _mm512_store_si512(
          out->codes + v * 64,
          kL.offset != 0 ? _mm512_sub_epi8(w.v[v], offset) : w.v[v]);
    }
    _mm512_store_ps(out->scale, LoadScales(header));
    if constexpr (kL.has_minima)
      _mm512_store_ps(out->minimum, LoadScales(header + 32));
    codes += kL.code_bytes;
    header += kL.header_bytes();
  }
}

template <class Tiles, int kLayout>
void RunBlockPanels(const LinearTile& tile, const PanelRange& range) {
  using Adder = void(const ActivationBlock*, int64_t, const UnpackedBlock*,
                     int64_t, PanelSums*);
  static constexpr Adder* kAdders[] = {
      &AddBlocks<Tiles, kLayout, 4>, &AddBlocks<Tiles, kLayout, 8>,
      &AddBlocks<Tiles, kLayout, 12>, &AddBlocks<Tiles, kLayout, 16>};
  const int64_t num_panels = range.num_panels();
  Tiles::Configure(BlockShapes(static_cast<int>(range.RowsOf(0))));
  const int64_t num_blocks = tile.weight->inputs / kBlockInputs;
  UnpackedBlock unpacked[kRunBlocks];
  PanelSums panels[kMaxPanels] = {};
  for (int64_t begin = 0; begin < num_blocks; begin += kRunBlocks) {
    const int64_t count = tile.weight->NumRunBlocks(begin);
    UnpackRun<kLayout>(tile, begin, unpacked);
    for (int64_t p = 0; p < num_panels; ++p) {
      const int64_t num_rows = range.RowsOf(p);
      kAdders[(num_rows - 1) / 4](tile.BlocksOf(range.first_row) +
                                      p * kPanelRows * num_blocks +
                                      begin * num_rows,
                                  num_rows, unpacked, count, &panels[p]);
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

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_BLOCKS_INL_H_
