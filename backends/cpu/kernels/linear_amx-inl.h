// Linear layers in tiles: 16 rows × 16 outputs × 32 inputs per instruction. The
// sums are exact in 32 bits, so the bits are those of the other kernels.
// Included by linear_amx.cc; tests include it with an emulation of the tiles.
//
// 256 inputs of a group are unpacked at a time; then the panels of rows pass
// over them. While the tiles of one block are multiplied, the sums of the block
// before are scaled and added.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_INL_H_

#include "backends/cpu/kernels/amx_tiles.h"
#include "backends/cpu/kernels/linear_kernel.h"
#include "backends/cpu/kernels/unpack_avx512-inl.h"

namespace specinfer::cpu {
namespace {

static_assert(kTileRows == kPanelRows && kTileRows == kGroupOutputs);
constexpr int kChunkBlocks = 8;  // unpacked at a time: a header of 256 inputs
constexpr int kMaxPanels = 4;    // that share one unpacking
constexpr int kAmxPrefetchBytes = 3072;  // ahead of the codes being read

// One block of a group, unpacked, offsets subtracted.
struct alignas(64) UnpackedBlock {
  int8_t codes[kNumVectors * 64];
  float scale[kGroupOutputs];
  float minimum[kGroupOutputs];
  float sub_scales[2][kGroupOutputs];
  float sub_minima[2][kGroupOutputs];
};

// Σ code · activation of one block, [row][output]; of its two halves where a
// block has two sub-scales.
struct alignas(64) BlockSums {
  int32_t sums[2][kTileRows][kGroupOutputs];
};

template <int kLayout>
constexpr bool HasHalves() {
  return kPackedLayouts[kLayout].sub_scales == 2;
}

// Registers: 0, 1 sums; 2, 3 rows; 4, 5 codes.
constexpr TileShapes ShapesFor(int num_rows, int num_inputs) {
  TileShapes shapes;
  for (const int sums : {0, 1}) shapes.Set(sums, num_rows, 64);
  for (const int rows : {2, 3}) shapes.Set(rows, num_rows, num_inputs);
  for (const int codes : {4, 5}) shapes.Set(codes, num_inputs / 4, 64);
  return shapes;
}

template <class Tiles, int kLayout>
inline void MultiplyBlock(const ActivationBlock* x, const UnpackedBlock& w,
                          BlockSums* out) {
  constexpr int64_t kStride = sizeof(ActivationBlock);
  Tiles::template Zero<0>();
  Tiles::template Load<2>(x->codes, kStride);
  Tiles::template Load<4>(w.codes, 64);
  Tiles::template DotSignedSigned<0, 2, 4>();
  Tiles::template Store<0>(out->sums[0], 64);
  if constexpr (HasHalves<kLayout>()) {
    Tiles::template Zero<1>();
    Tiles::template Load<3>(x->codes + 16, kStride);
    Tiles::template Load<5>(w.codes + 256, 64);
    Tiles::template DotSignedSigned<1, 3, 5>();
    Tiles::template Store<1>(out->sums[1], 64);
  }
}

inline __m512 LoadSums(const int32_t* sums) {
  return _mm512_cvtepi32_ps(_mm512_load_si512(sums));
}

// Adds one block to the accumulators of kRows rows.
template <int kLayout, int kRows>
inline void AddBlock(const BlockSums& sums, const UnpackedBlock& w,
                     const ActivationBlock* x, __m512* acc) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const __m512 scale = _mm512_load_ps(w.scale);
  [[maybe_unused]] const __m512 minimum = _mm512_load_ps(w.minimum);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const __m512 row_scale = _mm512_mul_ps(scale, _mm512_set1_ps(x[r].scale));
    if constexpr (kL.sub_scales == 2) {
      // Below 2^24, so exact.
      const __m512 sum = _mm512_fmadd_ps(
          LoadSums(sums.sums[0][r]), _mm512_load_ps(w.sub_scales[0]),
          _mm512_mul_ps(LoadSums(sums.sums[1][r]),
                        _mm512_load_ps(w.sub_scales[1])));
      acc[r] = _mm512_fmadd_ps(row_scale, sum, acc[r]);
      if constexpr (kL.has_minima) {
        const __m512 low =
            _mm512_set1_ps(static_cast<float>(x[r].minus_32_sum_low / -32));
        const __m512 high =
            _mm512_set1_ps(static_cast<float>(x[r].minus_32_sum_high / -32));
        const __m512 minima = _mm512_fmadd_ps(
            low, _mm512_load_ps(w.sub_minima[0]),
            _mm512_mul_ps(high, _mm512_load_ps(w.sub_minima[1])));
        acc[r] = _mm512_fnmadd_ps(
            minimum, _mm512_mul_ps(_mm512_set1_ps(x[r].scale), minima), acc[r]);
      }
    } else {
      acc[r] = _mm512_fmadd_ps(row_scale, LoadSums(sums.sums[0][r]), acc[r]);
      if constexpr (kL.subtracts_minima) {
        acc[r] =
            _mm512_fnmadd_ps(minimum, _mm512_set1_ps(x[r].scaled_sum), acc[r]);
      } else if constexpr (kL.has_minima) {
        acc[r] =
            _mm512_fmadd_ps(minimum, _mm512_set1_ps(x[r].scaled_sum), acc[r]);
      }
    }
  }
}

// Where a panel's sums stand between chunks of inputs.
struct alignas(64) PanelSums {
  float rows[kTileRows][kGroupOutputs];
};

// Adds `num_blocks` blocks to kRows rows of a panel, `stride` rows wide. Rows
// that the panel lacks compute what nobody reads.
template <class Tiles, int kLayout, int kRows>
void AddPanel(const ActivationBlock* x, int64_t stride, const UnpackedBlock* w,
              int64_t num_blocks, PanelSums* panel) {
  BlockSums sums[2];
  __m512 acc[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) acc[r] = _mm512_load_ps(panel->rows[r]);
  MultiplyBlock<Tiles, kLayout>(x, w[0], &sums[0]);
  for (int64_t b = 0; b < num_blocks; ++b) {
    if (b + 1 < num_blocks) {
      MultiplyBlock<Tiles, kLayout>(x + stride, w[b + 1], &sums[(b + 1) % 2]);
    }
    AddBlock<kLayout, kRows>(sums[b % 2], w[b], x, acc);
    x += stride;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) _mm512_store_ps(panel->rows[r], acc[r]);
}

// Unpacks blocks [begin, begin + count) of a group; `begin` is the first block
// of a header.
template <int kLayout>
void UnpackBlocks(const LinearTile& tile, int64_t begin, int64_t count,
                  UnpackedBlock* out) {
  constexpr PackedLayout kL = kPackedLayouts[kLayout];
  const uint8_t* group = tile.weight->group(tile.group);
  const uint8_t* codes = group + tile.weight->codes_at + begin * kL.code_bytes;
  const uint8_t* header =
      group + begin / kL.header_blocks() * kL.header_bytes();
  const __m512i offset = _mm512_set1_epi8(static_cast<char>(kL.offset));
  for (int64_t b = 0; b < count; b += kL.header_blocks()) {
    const __m512 scale = LoadScales(header);
    const __m512 minimum =
        kL.has_minima ? LoadScales(header + 32) : _mm512_setzero_ps();
    for (int i = 0; i < kL.header_blocks(); ++i) {
#pragma GCC unroll 8
      for (int line = 0; line < kL.code_bytes; line += 64) {
        _mm_prefetch(
            reinterpret_cast<const char*>(codes) + kAmxPrefetchBytes + line,
            _MM_HINT_T0);
      }
      const Vectors w = Unpack<kL.codes>(codes);
      const BlockScales s = ScalesOfBlock<kLayout>(header, i, scale, minimum);
#pragma GCC unroll 8
      for (int v = 0; v < kNumVectors; ++v) {
        _mm512_store_si512(
            out->codes + v * 64,
            kL.offset != 0 ? _mm512_sub_epi8(w.v[v], offset) : w.v[v]);
      }
      _mm512_store_ps(out->scale, s.scale);
      if constexpr (kL.has_minima) _mm512_store_ps(out->minimum, s.minimum);
      if constexpr (kL.sub_scales == 2) {
        for (int half = 0; half < 2; ++half) {
          _mm512_store_ps(out->sub_scales[half], s.sub_scale[half]);
          if constexpr (kL.has_minima)
            _mm512_store_ps(out->sub_minima[half], s.sub_minimum[half]);
        }
      }
      ++out;
      codes += kL.code_bytes;
    }
    header += kL.header_bytes();
  }
}

inline void StorePanel(const LinearTile& tile, int64_t first_row,
                       int64_t num_rows, const PanelSums& panel) {
  const __mmask16 mask =
      static_cast<__mmask16>((1u << NumGroupOutputs(tile)) - 1u);
  const __m512 bias = tile.bias != nullptr
                          ? _mm512_maskz_loadu_ps(mask, tile.bias)
                          : _mm512_setzero_ps();
  float* out = tile.out + first_row * tile.out_stride;
  for (int64_t r = 0; r < num_rows; ++r, out += tile.out_stride) {
    const __m512 sum = _mm512_load_ps(panel.rows[r]);
    _mm512_mask_storeu_ps(
        out, mask, tile.bias != nullptr ? _mm512_add_ps(sum, bias) : sum);
  }
}

template <class Tiles, int kLayout>
using PanelKernel = void(const ActivationBlock* x, int64_t stride,
                         const UnpackedBlock* w, int64_t num_blocks,
                         PanelSums* panel);

// The panels from `first_row` on, all with `num_rows` rows.
template <class Tiles, int kLayout>
void RunPanels(const LinearTile& tile, int64_t first_row, int64_t num_panels,
               int64_t num_rows) {
  static constexpr PanelKernel<Tiles, kLayout>* kKernels[] = {
      &AddPanel<Tiles, kLayout, 4>, &AddPanel<Tiles, kLayout, 8>,
      &AddPanel<Tiles, kLayout, 12>, &AddPanel<Tiles, kLayout, 16>};
  PanelKernel<Tiles, kLayout>* const kernel = kKernels[(num_rows - 1) / 4];
  const TileShapes shapes =
      ShapesFor(static_cast<int>(num_rows), HasHalves<kLayout>() ? 16 : 32);
  Tiles::Configure(shapes);
  const int64_t num_blocks = tile.weight->inputs / kBlockInputs;
  UnpackedBlock unpacked[kChunkBlocks];
  PanelSums panels[kMaxPanels] = {};
  for (int64_t begin = 0; begin < num_blocks; begin += kChunkBlocks) {
    const int64_t rest = num_blocks - begin;
    const int64_t count = rest < kChunkBlocks ? rest : kChunkBlocks;
    UnpackBlocks<kLayout>(tile, begin, count, unpacked);
    const ActivationBlock* x =
        tile.blocks + PanelOffset(num_blocks, first_row) + begin * num_rows;
    for (int64_t p = 0; p < num_panels; ++p, x += kPanelRows * num_blocks)
      kernel(x, num_rows, unpacked, count, &panels[p]);
  }
  for (int64_t p = 0; p < num_panels; ++p)
    StorePanel(tile, first_row + p * kPanelRows, num_rows, panels[p]);
  Tiles::Release();
}

// Whole panels first, then the rows that are left.
template <class Tiles, int kLayout>
void RunTile(const LinearTile& tile) {
  const int64_t num_whole = tile.num_rows / kPanelRows;
  for (int64_t p = 0; p < num_whole; p += kMaxPanels) {
    const int64_t rest = num_whole - p;
    RunPanels<Tiles, kLayout>(tile, p * kPanelRows,
                              rest < kMaxPanels ? rest : kMaxPanels,
                              kPanelRows);
  }
  const int64_t num_rest = tile.num_rows % kPanelRows;
  if (num_rest > 0)
    RunPanels<Tiles, kLayout>(tile, num_whole * kPanelRows, 1, num_rest);
}

// Null for float weights.
template <class Tiles, int kLayout = 0>
LinearKernel* FindAmxKernel(DType dtype) {
  if constexpr (kLayout < kNumPackedLayouts) {
    if constexpr (!kPackedLayouts[kLayout].is_float()) {
      if (kPackedLayouts[kLayout].dtype == dtype)
        return &RunTile<Tiles, kLayout>;
    }
    return FindAmxKernel<Tiles, kLayout + 1>(dtype);
  }
  return nullptr;
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_INL_H_
