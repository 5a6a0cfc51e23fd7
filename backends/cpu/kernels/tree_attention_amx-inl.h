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

// Registers: 0 to 3 sums; 4, 5 rows of queries; 6, 7 keys or values. All have
// 16 rows of 64 bytes.
constexpr TileShapes AttentionShapes() {
  TileShapes shapes;
  for (int tile = 0; tile < 8; ++tile) shapes.Set(tile, kTileRows, 64);
  return shapes;
}

inline Ints16 LoadInts(const int32_t* p) { return {_mm512_loadu_si512(p)}; }

// Any load that follows tile stores waits for one of them: the processor
// compares the last 12 bits of addresses, and four tiles have them all. So a
// step multiplies and stores many tiles, and then the vectors come. Two steps
// at a time would hide the wait, but take twice the first cache.

// Most tiles of sums of a step.
inline constexpr int kStepTiles = 8;

// One step: 16 queries, their products with up to 64 positions for up to four
// scales.
struct KeyStep {
  int first_query, count;
  int lane, num_vectors;  // of 16 positions
  int scale, num_scales;
};

// Goes through the steps of a block.
class KeySteps {
 public:
  KeySteps(const AttentionBlock& block, LaneRange lanes, int all_scales)
      : num_queries_(block.num_queries),
        lanes_(lanes),
        all_scales_(all_scales),
        most_scales_(all_scales < 4 ? all_scales : 4),
        most_vectors_(kStepTiles / (most_scales_ == 3 ? 4 : most_scales_)) {}

  KeyStep First() const { return Fit({0, 0, lanes_.first, 0, 0, 0}); }

  // False after the last.
  bool Advance(KeyStep& step) const {
    step.scale += step.num_scales;
    if (step.scale == all_scales_) {
      step.scale = 0;
      step.lane += 16 * step.num_vectors;
    }
    if (step.lane >= lanes_.last) {
      step.lane = lanes_.first;
      step.first_query += kTileRows;
    }
    step = Fit(step);
    return step.count > 0;
  }

 private:
  static int Least(int a, int b) { return a < b ? a : b; }
  KeyStep Fit(KeyStep step) const {
    step.count = Least(num_queries_ - step.first_query, kTileRows);
    step.num_vectors =
        Least((lanes_.last - step.lane) / 16, Least(most_vectors_, 4));
    step.num_scales = Least(all_scales_ - step.scale, most_scales_);
    return step;
  }

  const int num_queries_;
  const LaneRange lanes_;
  const int all_scales_;
  const int most_scales_;
  const int most_vectors_;
};

// Sums of a step are [vector of positions][scale]. A tile of keys spans two
// scales, so the codes of a query are padded with zeros to 64 for each.
// `key_stride`: bytes from 16 positions to the next.
template <class Tiles>
inline void MultiplyKeys(const int8_t* codes, int64_t stride,
                         const uint8_t* keys, int64_t key_stride,
                         int num_vectors, int num_scales, int32_t* sums) {
  for (int b = 0; b < num_scales; b += 2) {
    const bool has_two = b + 1 < num_scales;
    Tiles::template Load<4>(codes + b * 64, stride);
    if (has_two) Tiles::template Load<5>(codes + b * 64 + 64, stride);
    for (int v = 0; v < num_vectors; v += 2) {
      const uint8_t* key = keys + v * key_stride + b / 2 * 1024;
      int32_t* sum = sums + (v * num_scales + b) * kTileInts;
      const int next = num_scales * kTileInts;
      Tiles::template Load<6>(key, 64);
      Tiles::template Zero<0>();
      Tiles::template DotSignedSigned<0, 4, 6>();
      if (has_two) {
        Tiles::template Zero<1>();
        Tiles::template DotSignedSigned<1, 5, 6>();
      }
      if (v + 1 < num_vectors) {
        Tiles::template Load<7>(key + key_stride, 64);
        Tiles::template Zero<2>();
        Tiles::template DotSignedSigned<2, 4, 7>();
        if (has_two) {
          Tiles::template Zero<3>();
          Tiles::template DotSignedSigned<3, 5, 7>();
        }
      }
      Tiles::template Store<0>(sum, 64);
      if (has_two) Tiles::template Store<1>(sum + kTileInts, 64);
      if (v + 1 < num_vectors) {
        Tiles::template Store<2>(sum + next, 64);
        if (has_two) Tiles::template Store<3>(sum + next + kTileInts, 64);
      }
    }
  }
}

// Where the scores of 16 queries at some positions come from and go to.
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

// Adds kScales tiles of sums for each of kVectors vectors of positions to the
// dots.
template <int kScales, int kVectors>
inline void ScaleSums(const ScoreArgs& args) {
  const int count = args.count;
  Vec16 key_scale[kVectors][kScales];
  SPECINFER_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    SPECINFER_UNROLL
    for (int b = 0; b < kScales; ++b)
      key_scale[v][b] = Load(args.key_scales + b * kBlockLanes + 16 * v);
  }
  const float* scales = args.scales;
  const int32_t* sums = args.sums;
  float* scores = args.scores;
  const bool is_first = args.is_first;
  const bool is_last = args.is_last;
  const int64_t scale_stride = args.scale_stride;
  const ScoreScale to_score(args.scale, args.soft_cap);
  for (int q = 0; q < count; ++q) {
    SPECINFER_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      Vec16 dot = is_first ? Zero() : Load(scores + 16 * v);
      SPECINFER_UNROLL
      for (int b = 0; b < kScales; ++b) {
        dot =
            Fma(Multiply(Broadcast(scales[b]), key_scale[v][b]),
                ToFloats(LoadInts(sums + (v * kScales + b) * kTileInts)), dot);
      }
      Store(scores + 16 * v, is_last ? to_score.Apply(dot) : dot);
    }
    scales += scale_stride;
    scores += kBlockLanes;
    sums += 16;
  }
}

template <int kScales, int kVectors>
inline void ScaleVectors(ScoreArgs args, int num_vectors) {
  int v = 0;
  for (; v + kVectors <= num_vectors; v += kVectors) {
    ScaleSums<kScales, kVectors>(args);
    args.key_scales += 16 * kVectors;
    args.sums += kScales * kVectors * kTileInts;
    args.scores += 16 * kVectors;
  }
  if constexpr (kVectors > 1)
    if (v < num_vectors) ScaleVectors<kScales, 1>(args, num_vectors - v);
}

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
  if (step.num_scales == 4) {
    ScaleVectors<4, 2>(args, step.num_vectors);
  } else if (step.num_scales == 3) {
    ScaleVectors<3, 2>(args, step.num_vectors);
  } else if (step.num_scales == 2) {
    ScaleVectors<2, 4>(args, step.num_vectors);
  } else {
    ScaleVectors<1, 4>(args, step.num_vectors);
  }
}

// Scores of all queries at `lanes`.
template <class Tiles>
inline void ScoreTiles(const AttentionBlock& block, const Q8Page& page,
                       LaneRange lanes, int32_t* sums, NextPage& next) {
  const KeySteps steps(block, lanes, page.layout.num_scales());
  const int lines_per_step = page.lines_per_step(block.num_queries, kTileRows);
  const int64_t stride = int64_t{page.layout.dims} * 2;
  KeyStep step = steps.First();
  do {
    next.Fetch(lines_per_step * step.num_vectors);
    MultiplyKeys<Tiles>(
        block.queries.codes + step.first_query * stride + step.scale * 64,
        stride,
        page.head +
            page.layout.key_quad(step.scale * (kScaleDims / 4), step.lane),
        int64_t{page.layout.dims} * 16, step.num_vectors, step.num_scales,
        sums);
    ScaleStep(block, page, step, sums);
  } while (steps.Advance(step));
}

// The products of the weights of 16 queries, in registers 4 and 5, with values
// of `num_dims` dimensions: sums are [vector of dimensions][high, low].
template <class Tiles>
inline void MultiplyValues(const uint8_t* values, int num_dims, int32_t* sums) {
  for (int d = 0; d < num_dims; d += 32) {
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
    Tiles::template Store<0>(sums, 64);
    Tiles::template Store<1>(sums + kTileInts, 64);
    Tiles::template Store<2>(sums + 2 * kTileInts, 64);
    Tiles::template Store<3>(sums + 3 * kTileInts, 64);
    values += 2048;
    sums += 4 * kTileInts;
  }
}

// One step: 16 queries, up to 64 dimensions.
struct ValueStep {
  int first_query, count;
  int dimension;
};
inline constexpr int kStepDims = kStepTiles / 2 * 16;

// Takes the sums of `left` dimensions, at most kStepDims, into the queries.
inline void TakeTiles(const AttentionBlock& block, const ValueStep& step,
                      int left, const int32_t* sums) {
  float* const* outs = block.queries.out + step.first_query;
  const float* steps = block.queries.steps + step.first_query;
  const float* corrections = block.queries.correction + step.first_query;
  for (int q = 0; q < step.count; ++q, sums += 16) {
    const Vec16 code_step = Broadcast(steps[q]);
    const Vec16 correction = Broadcast(corrections[q]);
    float* out = outs[q] + step.dimension;
    const auto take = [&](int v, int count) {
      const int32_t* high = sums + 2 * v * kTileInts;
      TakeValues(code_step, correction,
                 JoinWeightHalves(LoadInts(high), LoadInts(high + kTileInts)),
                 out + 16 * v, count);
    };
    if (left >= kStepDims) {
      SPECINFER_UNROLL
      for (int v = 0; v < kStepDims / 16; ++v) take(v, 16);
    } else {
      for (int v = 0; 16 * v < left; ++v) take(v, left - 16 * v);
    }
  }
}

// Adds the weighted values to all queries.
template <class Tiles>
inline void AddTiles(const AttentionBlock& block, const Q8Page& page,
                     int32_t* sums, NextPage& next) {
  const int lines_per_step = page.lines_per_step(block.num_queries, kTileRows);
  for (int query = 0; query < block.num_queries; query += kTileRows) {
    const int left = block.num_queries - query;
    const uint8_t* weights =
        block.queries.weight_codes + query * 2 * kBlockLanes;
    Tiles::template Load<4>(weights, 2 * kBlockLanes);
    Tiles::template Load<5>(weights + kBlockLanes, 2 * kBlockLanes);
    for (int d = 0; d < block.head_dim; d += kStepDims) {
      const int dims = page.layout.dims - d;
      const int num_dims = dims < kStepDims ? dims : kStepDims;
      next.Fetch(lines_per_step * num_dims / kScaleDims);
      MultiplyValues<Tiles>(page.head + page.layout.value(d, 0), num_dims,
                            sums);
      TakeTiles(block, {query, left < kTileRows ? left : kTileRows, d},
                block.head_dim - d, sums);
    }
  }
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
