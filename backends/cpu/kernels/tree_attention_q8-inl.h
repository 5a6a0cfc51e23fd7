// TreeAttention over Vec16 and a q8 cache. Included by tree_attention_<isa>.cc
// after vec16_<isa>.h, which has the products of bytes.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_Q8_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_Q8_INL_H_

#include "backends/cpu/kernels/attention_block-inl.h"
#include "backends/cpu/kernels/attention_softmax-inl.h"
#include "backends/cpu/kernels/q8_layout.h"
#include "backends/cpu/kernels/quantize_head-inl.h"

namespace specinfer::cpu {
namespace {

inline int32_t LoadFour(const void* bytes) {
  int32_t four;
  __builtin_memcpy(&four, bytes, sizeof(four));
  return four;
}

// A page of a q8 cache, its scales as floats in the block's scratch.
struct Q8Page {
  explicit Q8Page(const AttentionBlock& block)
      : layout(block.head_dim),
        head(block.page),
        key_scales(block.floats),
        value_scales(block.floats + layout.num_scales() * kBlockLanes) {
    const auto* halves =
        reinterpret_cast<const uint16_t*>(head + layout.key_scales);
    const int count = (layout.num_scales() + 1) * kBlockLanes;
    for (int i = 0; i < count; i += 16)
      Store(block.floats + i, LoadHalves(halves + i));
  }

  // Cache lines of the next page to ask for in each of the steps that take
  // `step_queries` over 16 positions, or over 32 dimensions.
  int lines_per_step(int num_queries, int step_queries) const {
    const int num_parts = (num_queries + step_queries - 1) / step_queries;
    const int num_steps =
        num_parts * (kBlockVectors + layout.dims / kScaleDims);
    return static_cast<int>(layout.num_bytes / 64) / num_steps + 1;
  }

  const Q8Layout layout;
  const uint8_t* const head;
  const float* const key_scales;    // [dims / 32, 64]
  const float* const value_scales;  // [64]
};

// Scores of kQueries queries at kVectors vectors of positions from `lane` on.
template <int kQueries, int kVectors>
inline void ScoreQ8Vectors(const AttentionBlock& block, const Q8Page& page,
                           int first_query, int lane) {
  const int num_scales = page.layout.num_scales();
  const int dims = page.layout.dims;
  const int8_t* codes = block.queries.codes + first_query * dims;
  Vec16 dots[kQueries][kVectors];
  SPECINFER_UNROLL
  for (int q = 0; q < kQueries; ++q) {
    SPECINFER_UNROLL
    for (int v = 0; v < kVectors; ++v) dots[q][v] = Zero();
  }
  for (int b = 0; b < num_scales; ++b, codes += kScaleDims) {
    Ints16 sums[kQueries][kVectors];
    SPECINFER_UNROLL
    for (int q = 0; q < kQueries; ++q) {
      const int32_t sum =
          block.queries.sums[(first_query + q) * num_scales + b];
      SPECINFER_UNROLL
      for (int v = 0; v < kVectors; ++v) sums[q][v] = StartKeyDots(sum);
    }
    const uint8_t* keys =
        page.head + page.layout.key_quad(b * (kScaleDims / 4), lane);
    for (int i = 0; i < kScaleDims / 4; ++i) {
      KeyQuads key[kVectors];
      SPECINFER_UNROLL
      for (int v = 0; v < kVectors; ++v)
        key[v] = LoadKeyQuads(keys + 16 * v * dims + 64 * i);
      SPECINFER_UNROLL
      for (int q = 0; q < kQueries; ++q) {
        const int32_t four = LoadFour(codes + q * dims + 4 * i);
        SPECINFER_UNROLL
        for (int v = 0; v < kVectors; ++v)
          sums[q][v] = DotKeys(sums[q][v], key[v], four);
      }
    }
    SPECINFER_UNROLL
    for (int q = 0; q < kQueries; ++q) {
      const Vec16 scale =
          Broadcast(block.queries.scales[(first_query + q) * num_scales + b]);
      SPECINFER_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const Vec16 both = Multiply(
            scale, Load(page.key_scales + b * kBlockLanes + lane + 16 * v));
        dots[q][v] = Fma(both, ToFloats(sums[q][v]), dots[q][v]);
      }
    }
  }
  const ScoreScale to_score(block.scale, block.soft_cap);
  float* weights = block.queries.weights + first_query * kBlockLanes + lane;
  SPECINFER_UNROLL
  for (int q = 0; q < kQueries; ++q) {
    SPECINFER_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      Store(weights + q * kBlockLanes + 16 * v, to_score.Apply(dots[q][v]));
    }
  }
}

// Turns weights into codes of 14 bits, against the greatest of each query. In:
// steps has the greatest weights; out: the steps of the codes.
inline void QuantizeWeights(const AttentionQueries& queries, int num_queries) {
  constexpr int kMaxQueries = 16;
  for (int first = 0; first < num_queries; first += kMaxQueries) {
    const int left = num_queries - first;
    const int count = left < kMaxQueries ? left : kMaxQueries;
    const Vec16 greatest = LoadQueries(queries.steps + first, left);
    alignas(64) float inverse[kMaxQueries];
    Store(inverse, ZeroBelow(greatest, kLeastWeight,
                             Divide(Broadcast(kGreatestWeight), greatest)));
    StoreQueries(queries.steps + first,
                 Divide(greatest, Broadcast(kGreatestWeight)), left);
    for (int i = 0; i < count; ++i) {
      Vec16 weight[kBlockVectors];
      LoadBlock(queries.weights + (first + i) * kBlockLanes, weight);
      Ints16 code[kBlockVectors];
      SPECINFER_UNROLL
      for (int v = 0; v < kBlockVectors; ++v)
        code[v] = RoundToInts(Multiply(weight[v], Broadcast(inverse[i])));
      uint8_t* codes = queries.weight_codes + (first + i) * 2 * kBlockLanes;
      StoreWeightCodes(codes, codes + kBlockLanes, code);
    }
  }
}

// Takes the weighted values of a vector of dimensions into `out`, of which
// `left` dimensions are left.
inline void TakeValues(Vec16 step, Vec16 correction, Ints16 sum, float* out,
                       int left) {
  const Vec16 before = Multiply(LoadQueries(out, left), correction);
  StoreQueries(out, Fma(step, ToFloats(sum), before), left);
}

// Adds the weighted values of kVectors vectors of dimensions to kQueries
// queries.
template <int kQueries, int kVectors>
inline void AddQ8Values(const AttentionBlock& block, const Q8Page& page,
                        int first_query, LaneRange lanes, int dimension) {
  const uint8_t* codes =
      block.queries.weight_codes + first_query * 2 * kBlockLanes;
  const uint8_t* values = page.head + page.layout.value(dimension, 0);
  Ints16 high[kQueries][kVectors], low[kQueries][kVectors];
  SPECINFER_UNROLL
  for (int q = 0; q < kQueries; ++q) {
    SPECINFER_UNROLL
    for (int v = 0; v < kVectors; ++v) high[q][v] = low[q][v] = ZeroInts();
  }
  for (int lane = lanes.first; lane < lanes.last; lane += 4) {
    ValueQuads value[kVectors];
    SPECINFER_UNROLL
    for (int v = 0; v < kVectors; ++v)
      value[v] = LoadValueQuads(values + v * 16 * kBlockLanes + 16 * lane);
    SPECINFER_UNROLL
    for (int q = 0; q < kQueries; ++q) {
      const uint8_t* four = codes + q * 2 * kBlockLanes + lane;
      SPECINFER_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        high[q][v] = DotWeights(high[q][v], value[v], LoadFour(four));
        low[q][v] =
            DotWeights(low[q][v], value[v], LoadFour(four + kBlockLanes));
      }
    }
  }
  SPECINFER_UNROLL
  for (int q = 0; q < kQueries; ++q) {
    const Vec16 step = Broadcast(block.queries.steps[first_query + q]);
    const Vec16 correction =
        Broadcast(block.queries.correction[first_query + q]);
    SPECINFER_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const int left = block.head_dim - dimension - 16 * v;
      if (left <= 0) continue;
      TakeValues(step, correction, JoinWeightHalves(high[q][v], low[q][v]),
                 block.queries.out[first_query + q] + dimension + 16 * v, left);
    }
  }
}

struct ScoreQ8 {
  const AttentionBlock& block;
  const Q8Page& page;
  NextPage& next;
  int lines_per_step;
  int first_query;
  LaneRange lanes;

  template <int kQueries>
  void Run() const {
    int lane = lanes.first;
    for (; lane + 16 * kQ8Vectors <= lanes.last; lane += 16 * kQ8Vectors) {
      next.Fetch(lines_per_step * kQ8Vectors);
      ScoreQ8Vectors<kQueries, kQ8Vectors>(block, page, first_query, lane);
    }
    for (; lane < lanes.last; lane += 16)
      ScoreQ8Vectors<kQueries, 1>(block, page, first_query, lane);
  }
};

struct AddQ8 {
  const AttentionBlock& block;
  const Q8Page& page;
  NextPage& next;
  int lines_per_step;
  int first_query;
  LaneRange lanes;

  template <int kQueries>
  void Run() const {
    static_assert(kScaleDims % (16 * kQ8Vectors) == 0);
    for (int d = 0; d < block.head_dim; d += 16 * kQ8Vectors) {
      next.Fetch(lines_per_step);
      AddQ8Values<kQueries, kQ8Vectors>(block, page, first_query, lanes, d);
    }
  }
};

template <typename Step>
inline void ForQ8Queries(const AttentionBlock& block, const Q8Page& page,
                         NextPage& next) {
  const int lines = page.lines_per_step(block.num_queries, kQ8Queries);
  for (int q = 0, count = 0; q < block.num_queries; q += count) {
    count = NextQueries(block.num_queries - q, kQ8Queries);
    WithQueries<kQ8Queries>(count, Step{block, page, next, lines, q,
                                        UnionOfLanes(block, q, count)});
  }
}

inline void AttendQ8(const AttentionBlock& block) {
  const Q8Page page(block);
  NextPage next(block.next, page.layout.num_bytes);
  ForQ8Queries<ScoreQ8>(block, page, next);
  TakeIntoSoftmax<true>(block.queries, block.num_queries, page.value_scales);
  QuantizeWeights(block.queries, block.num_queries);
  ForQ8Queries<AddQ8>(block, page, next);
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_Q8_INL_H_
