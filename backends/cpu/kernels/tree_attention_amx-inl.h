// TreeAttention over a q8 cache in tiles: 16 queries × 16 positions × 64
// dimensions, and 16 queries × 16 dimensions × 64 positions. The sums are exact
// in 32 bits, so the bits are those of the other kernels. Included by
// tree_attention_amx.cc; tests include it with an emulation of the tiles.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_AMX_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_AMX_INL_H_

#include "backends/cpu/kernels/amx_tiles.h"
#include "backends/cpu/kernels/tree_attention_kernel.h"
#include "backends/cpu/kernels/vec16_avx512.h"
// Over the lanes above:
#include "backends/cpu/kernels/tree_attention_q8-inl.h"

namespace specinfer::cpu {
namespace {

inline constexpr int kTileInts = 256;
inline constexpr int kSumTiles = 4;

// Registers: 0 to 3 sums; 4, 5 rows of queries; 6, 7 keys or values. All have
// 16 rows of 64 bytes.
constexpr TileShapes AttentionShapes() {
  TileShapes shapes;
  for (int tile = 0; tile < 8; ++tile) shapes.Set(tile, kTileRows, 64);
  return shapes;
}

inline Ints16 LoadInts(const int32_t* p) { return {_mm512_loadu_si512(p)}; }

// Sums are stored long before they are read, as a load cannot take what a tile
// store has not yet brought to the cache: while the tiles of one step are
// multiplied, the step two before is worked on. Two steps' sums are kept.

// The products of 16 queries with 16 positions, for up to four scales from
// `scale` on, in registers 0 to 3. A tile of keys spans two scales, so the
// codes of a query are padded with zeros to 64 for each.
template <class Tiles>
inline void MultiplyKeys(const int8_t* codes, int64_t stride,
                         const uint8_t* keys, int num_scales) {
  Tiles::template Load<6>(keys, 64);
  Tiles::template Load<4>(codes, stride);
  Tiles::template Zero<0>();
  Tiles::template DotSignedSigned<0, 4, 6>();
  if (num_scales == 1) return;
  Tiles::template Load<5>(codes + 64, stride);
  Tiles::template Zero<1>();
  Tiles::template DotSignedSigned<1, 5, 6>();
  if (num_scales == 2) return;
  Tiles::template Load<7>(keys + 1024, 64);
  Tiles::template Load<4>(codes + 128, stride);
  Tiles::template Zero<2>();
  Tiles::template DotSignedSigned<2, 4, 7>();
  if (num_scales == 3) return;
  Tiles::template Load<5>(codes + 192, stride);
  Tiles::template Zero<3>();
  Tiles::template DotSignedSigned<3, 5, 7>();
}

template <class Tiles>
inline void StoreSums(int32_t* sums, int count) {
  Tiles::template Store<0>(sums, 64);
  if (count > 1) Tiles::template Store<1>(sums + kTileInts, 64);
  if (count > 2) Tiles::template Store<2>(sums + 2 * kTileInts, 64);
  if (count > 3) Tiles::template Store<3>(sums + 3 * kTileInts, 64);
}

// Where the scores of 16 queries at 16 positions come from and go to.
struct ScoreArgs {
  const float* scales;  // of the queries
  int scale_stride;
  const float* key_scales;
  const int32_t* sums;
  int count;               // queries
  bool is_first, is_last;  // of the scales of a query
  float scale, soft_cap;
  float* scores;  // where weights will be; dots until the last
};

// Adds kScales tiles of sums to the dots. kCount: of the queries, if known.
template <int kScales, int kCount>
inline void ScaleSums(const ScoreArgs& args) {
  const int count = kCount > 0 ? kCount : args.count;
  Vec16 key_scale[kScales];
  SPECINFER_UNROLL
  for (int b = 0; b < kScales; ++b)
    key_scale[b] = Load(args.key_scales + b * kBlockLanes);
  const float* scales = args.scales;
  const int32_t* sums = args.sums;
  float* scores = args.scores;
  const bool is_first = args.is_first;
  const bool is_last = args.is_last;
  const ScoreScale to_score(args.scale, args.soft_cap);
  for (int q = 0; q < count; ++q) {
    Vec16 dot = is_first ? Zero() : Load(scores);
    SPECINFER_UNROLL
    for (int b = 0; b < kScales; ++b) {
      dot = Fma(Multiply(Broadcast(scales[b]), key_scale[b]),
                ToFloats(LoadInts(sums + b * kTileInts)), dot);
    }
    Store(scores, is_last ? to_score.Apply(dot) : dot);
    scales += args.scale_stride;
    scores += kBlockLanes;
    sums += 16;
  }
}

// One step: 16 queries, 16 positions, up to four scales.
struct KeyStep {
  int first_query, count;
  int lane;
  int scale, num_scales;

  // The next step of the block; false after the last.
  bool Advance(const AttentionBlock& block, LaneRange lanes, int all_scales) {
    scale += kSumTiles;
    if (scale >= all_scales) {
      scale = 0;
      lane += 16;
    }
    if (lane >= lanes.last) {
      lane = lanes.first;
      first_query += kTileRows;
    }
    num_scales =
        all_scales - scale < kSumTiles ? all_scales - scale : kSumTiles;
    const int left = block.num_queries - first_query;
    count = left < kTileRows ? left : kTileRows;
    return left > 0;
  }
};

inline void ScaleStep(const AttentionBlock& block, const Q8Page& page,
                      const KeyStep& step, const int32_t* sums) {
  const int all_scales = page.layout.num_scales();
  const ScoreArgs args = {
      .scales =
          block.queries.scales + step.first_query * all_scales + step.scale,
      .scale_stride = all_scales,
      .key_scales = page.key_scales + step.scale * kBlockLanes + step.lane,
      .sums = sums,
      .count = step.count,
      .is_first = step.scale == 0,
      .is_last = step.scale + step.num_scales == all_scales,
      .scale = block.scale,
      .soft_cap = block.soft_cap,
      .scores =
          block.queries.weights + step.first_query * kBlockLanes + step.lane};
  if (step.num_scales == 4 && step.count == kTileRows) {
    ScaleSums<4, kTileRows>(args);
  } else if (step.num_scales == 4) {
    ScaleSums<4, 0>(args);
  } else if (step.num_scales == 3) {
    ScaleSums<3, 0>(args);
  } else if (step.num_scales == 2) {
    ScaleSums<2, 0>(args);
  } else {
    ScaleSums<1, 0>(args);
  }
}

// multiply(step) leaves sums in registers, store(step, half) puts them into one
// of two halves, work(step, half) turns them into something.
template <typename Step, typename Advance, typename Multiply, typename Store,
          typename Work>
inline void Pipeline(Step first, const Advance& advance,
                     const Multiply& multiply, const Store& store,
                     const Work& work) {
  multiply(first);
  store(first, 0);
  Step second = first;
  bool has_second = advance(second);
  if (has_second) {
    multiply(second);
    store(second, 1);
  }
  for (int half = 0;; half = 1 - half) {
    Step third = second;
    const bool has_third = has_second && advance(third);
    if (has_third) multiply(third);
    work(first, half);
    if (has_third) store(third, half);
    if (!has_second) return;
    first = second;
    second = third;
    has_second = has_third;
  }
}

inline constexpr int kHalfInts = kSumTiles * kTileInts;

// Scores of all queries at `lanes`.
template <class Tiles>
inline void ScoreTiles(const AttentionBlock& block, const Q8Page& page,
                       LaneRange lanes, int32_t* sums, NextPage& next) {
  const int all_scales = page.layout.num_scales();
  const int lines_per_step = page.lines_per_step(block.num_queries, kTileRows);
  const int64_t stride = int64_t{page.layout.dims} * 2;
  KeyStep first = {0, 0, lanes.first, -kSumTiles, 0};
  first.Advance(block, lanes, all_scales);
  Pipeline(
      first,
      [&](KeyStep& step) { return step.Advance(block, lanes, all_scales); },
      [&](const KeyStep& step) {
        next.Fetch(lines_per_step);
        MultiplyKeys<Tiles>(
            block.queries.codes + step.first_query * stride + step.scale * 64,
            stride,
            page.head +
                page.layout.key_quad(step.scale * (kScaleDims / 4), step.lane),
            step.num_scales);
      },
      [&](const KeyStep& step, int half) {
        StoreSums<Tiles>(sums + half * kHalfInts, step.num_scales);
      },
      [&](const KeyStep& step, int half) {
        ScaleStep(block, page, step, sums + half * kHalfInts);
      });
}

// The products of the weights of 16 queries, in registers 4 and 5, with values
// of 32 dimensions.
template <class Tiles>
inline void MultiplyValues(const uint8_t* values) {
  Tiles::template Load<6>(values, 64);
  Tiles::template Zero<0>();
  Tiles::template DotSignedSigned<0, 4, 6>();
  Tiles::template Zero<1>();
  Tiles::template DotSignedSigned<1, 5, 6>();
  Tiles::template Load<7>(values + 1024, 64);
  Tiles::template Zero<2>();
  Tiles::template DotSignedSigned<2, 4, 7>();
  Tiles::template Zero<3>();
  Tiles::template DotSignedSigned<3, 5, 7>();
}

// Takes the sums of 32 dimensions into `count` queries.
inline void TakeTiles(const AttentionBlock& block, int first_query, int count,
                      int dimension, const int32_t* sums) {
  float* const* outs = block.queries.out + first_query;
  const float* steps = block.queries.steps + first_query;
  const float* corrections = block.queries.correction + first_query;
  const int left = block.head_dim - dimension;
  for (int q = 0; q < count; ++q, sums += 16) {
    const Vec16 step = Broadcast(steps[q]);
    const Vec16 correction = Broadcast(corrections[q]);
    const Ints16 first =
        JoinWeightHalves(LoadInts(sums), LoadInts(sums + kTileInts));
    const Ints16 second = JoinWeightHalves(LoadInts(sums + 2 * kTileInts),
                                           LoadInts(sums + 3 * kTileInts));
    float* out = outs[q] + dimension;
    if (left >= 32) {
      TakeValues(step, correction, first, out, 16);
      TakeValues(step, correction, second, out + 16, 16);
    } else {
      TakeValues(step, correction, first, out, left);
      if (left > 16) TakeValues(step, correction, second, out + 16, left - 16);
    }
  }
}

// One step: 16 queries, 32 dimensions.
struct ValueStep {
  int first_query, count;
  int dimension;
};

// Adds the weighted values to all queries.
template <class Tiles>
inline void AddTiles(const AttentionBlock& block, const Q8Page& page,
                     int32_t* sums, NextPage& next) {
  const int lines_per_step = page.lines_per_step(block.num_queries, kTileRows);
  const auto count_from = [&](int query) {
    const int left = block.num_queries - query;
    return left < kTileRows ? left : kTileRows;
  };
  Pipeline(
      ValueStep{0, count_from(0), 0},
      [&](ValueStep& step) {
        step.dimension += kScaleDims;
        if (step.dimension < block.head_dim) return true;
        step.first_query += kTileRows;
        step = {step.first_query, count_from(step.first_query), 0};
        return step.count > 0;
      },
      [&](const ValueStep& step) {
        next.Fetch(lines_per_step);
        if (step.dimension == 0) {
          const uint8_t* weights =
              block.queries.weight_codes + step.first_query * 2 * kBlockLanes;
          Tiles::template Load<4>(weights, 2 * kBlockLanes);
          Tiles::template Load<5>(weights + kBlockLanes, 2 * kBlockLanes);
        }
        MultiplyValues<Tiles>(page.head + page.layout.value(step.dimension, 0));
      },
      [&](const ValueStep&, int half) {
        StoreSums<Tiles>(sums + half * kHalfInts, kSumTiles);
      },
      [&](const ValueStep& step, int half) {
        TakeTiles(block, step.first_query, step.count, step.dimension,
                  sums + half * kHalfInts);
      });
}

// As QuantizeQuery, but each 32 codes lie in 64 bytes, first or last, and the
// other 32 are zeros.
inline void QuantizeQueryForTiles(const float* query, int head_dim,
                                  int8_t* codes, float* scales, int32_t* sums) {
  const Q8Layout layout(head_dim);
  alignas(64) float turned[kMaxHeadDims];
  TurnHead(query, head_dim, turned);
  for (int b = 0; b < layout.num_scales(); ++b, codes += 2 * kScaleDims) {
    const int first = b % 2 * kScaleDims;
    QuantizeTurned(turned, layout, b, 1, codes + first, scales + b, sums + b);
    QuantizeFloats(query, 0, 0.0f, codes + kScaleDims - first);
  }
}

template <class Tiles>
inline void AttendQ8InTiles(const AttentionBlock& block) {
  const Q8Page page(block);
  NextPage next(block.next, page.layout.num_bytes);
  auto* sums = reinterpret_cast<int32_t*>(
      block.floats + (page.layout.num_scales() + 1) * kBlockLanes);
  ScoreTiles<Tiles>(block, page, UnionOfLanes(block, 0, block.num_queries),
                    sums, next);
  TakeIntoSoftmax<true>(block.queries, block.num_queries, page.value_scales);
  QuantizeWeights(block.queries, block.num_queries);
  AddTiles<Tiles>(block, page, sums, next);
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_AMX_INL_H_
