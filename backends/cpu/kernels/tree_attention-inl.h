// TreeAttention over Vec16 and a f16 cache. Included by
// tree_attention_<isa>.cc after vec16_<isa>.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_INL_H_

#include "backends/cpu/kernels/attention_block-inl.h"
#include "backends/cpu/kernels/attention_softmax-inl.h"

namespace specinfer::cpu {
namespace {

inline const uint16_t* Keys(const AttentionBlock& block) {
  return reinterpret_cast<const uint16_t*>(block.page);
}
inline const uint16_t* Values(const AttentionBlock& block) {
  return Keys(block) + block.head_dim * kBlockLanes;
}

// Lanes, or dimensions, that are converted to floats at once for all queries.
inline constexpr int kConvertedFloats = 32;

// Vectors of positions or dimensions for each of `num_queries`.
constexpr int VectorsFor(int num_queries) {
  int vectors = 4;
  while (vectors > 1 && (num_queries + 1) * vectors > kAttentionVectors)
    vectors /= 2;
  return vectors;
}

// Keys or values as floats of their own, or as half floats in the page.
struct FloatSource {
  const float* p;
  Vec16 Read(int64_t offset) const { return Load(p + offset); }
};
struct HalfSource {
  const uint16_t* p;
  Vec16 Read(int64_t offset) const { return LoadHalves(p + offset); }
};

// Scores of kQueries queries at kVectors vectors of positions. Element d of the
// keys is `row` further for each d. Every key is read once for all.
template <int kQueries, int kVectors, typename Source>
inline void ScoreVectors(const AttentionBlock& block, int first_query,
                         Source keys, int64_t row, int first_lane,
                         NextPage& next) {
  const int64_t stride = block.queries.stride;
  const float* columns = block.queries.columns + first_query;
  Vec16 dots[kQueries][kVectors];
  SPECINFER_UNROLL
  for (int q = 0; q < kQueries; ++q) {
    SPECINFER_UNROLL
    for (int v = 0; v < kVectors; ++v) dots[q][v] = Zero();
  }
  const int head_dim = block.head_dim;
  NextPage::Part<kVectors == 4 ? 2 : 1> ahead(next, head_dim);
  for (int d = 0; d < head_dim; ++d, columns += stride, keys.p += row) {
    ahead.Step();
    Vec16 key[kVectors];
    SPECINFER_UNROLL
    for (int v = 0; v < kVectors; ++v) key[v] = keys.Read(16 * v);
    SPECINFER_UNROLL
    for (int q = 0; q < kQueries; ++q) {
      const Vec16 element = Broadcast(columns[q]);
      SPECINFER_UNROLL
      for (int v = 0; v < kVectors; ++v)
        dots[q][v] = Fma(element, key[v], dots[q][v]);
    }
  }
  const ScoreScale scale(block.scale, block.soft_cap);
  float* weights =
      block.queries.weights + first_query * kBlockLanes + first_lane;
  SPECINFER_UNROLL
  for (int q = 0; q < kQueries; ++q) {
    SPECINFER_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      Store(weights + q * kBlockLanes + 16 * v, scale.Apply(dots[q][v]));
    }
  }
}

// Adds the weighted values of `lanes` at the dimensions [dimension, dimension +
// 16 · kVectors) to kQueries queries. The values of a lane are `row` further
// for each lane, from lane 0 on.
template <int kQueries, int kVectors, typename Source>
inline void AddValues(const AttentionBlock& block, int first_query,
                      Source values, int64_t row, int dimension,
                      NextPage& next) {
  float* const* outs = block.queries.out + first_query;
  Vec16 out[kQueries][kVectors];
  SPECINFER_UNROLL
  for (int q = 0; q < kQueries; ++q) {
    const Vec16 correction =
        Broadcast(block.queries.correction[first_query + q]);
    SPECINFER_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      out[q][v] = Multiply(Load(outs[q] + dimension + 16 * v), correction);
    }
  }
  const int first_lane = block.queries.first_lane[first_query];
  const int last_lane = block.queries.last_lane[first_query];
  const float* weights = block.queries.weights + first_query * kBlockLanes;
  values.p += first_lane * row;
  NextPage::Part<kVectors == 4 ? 2 : 1> ahead(next, last_lane - first_lane);
  for (int lane = first_lane; lane < last_lane; ++lane, values.p += row) {
    ahead.Step();
    Vec16 value[kVectors];
    SPECINFER_UNROLL
    for (int v = 0; v < kVectors; ++v) value[v] = values.Read(16 * v);
    SPECINFER_UNROLL
    for (int q = 0; q < kQueries; ++q) {
      const Vec16 weight = Broadcast(weights[q * kBlockLanes + lane]);
      SPECINFER_UNROLL
      for (int v = 0; v < kVectors; ++v)
        out[q][v] = Fma(weight, value[v], out[q][v]);
    }
  }
  SPECINFER_UNROLL
  for (int q = 0; q < kQueries; ++q) {
    SPECINFER_UNROLL
    for (int v = 0; v < kVectors; ++v)
      Store(outs[q] + dimension + 16 * v, out[q][v]);
  }
}

// The last dimensions of a head that is no multiple of 16.
inline void AddLastValues(const AttentionBlock& block, int query,
                          int dimension) {
  const int count = block.head_dim - dimension;
  const float* weights = block.queries.weights + query * kBlockLanes;
  float* p = block.queries.out[query] + dimension;
  Vec16 out =
      Multiply(LoadFirst(p, count), Broadcast(block.queries.correction[query]));
  for (int lane = block.queries.first_lane[query];
       lane < block.queries.last_lane[query]; ++lane) {
    const Vec16 value = LoadFirstHalves(
        Values(block) + lane * block.head_dim + dimension, count);
    out = Fma(Broadcast(weights[lane]), value, out);
  }
  StoreFirst(p, out, count);
}

struct ScoreFromPage {
  const AttentionBlock& block;
  NextPage& next;
  int first_query;
  LaneRange lanes;

  template <int kQueries>
  void Run() const {
    constexpr int kVectors = VectorsFor(kQueries);
    int lane = lanes.first;
    for (; lane + 16 * kVectors <= lanes.last; lane += 16 * kVectors) {
      ScoreVectors<kQueries, kVectors>(block, first_query,
                                       HalfSource{Keys(block) + lane},
                                       kBlockLanes, lane, next);
    }
    for (; lane < lanes.last; lane += 16) {
      ScoreVectors<kQueries, 1>(block, first_query,
                                HalfSource{Keys(block) + lane}, kBlockLanes,
                                lane, next);
    }
  }
};

struct ScoreFromFloats {
  const AttentionBlock& block;
  NextPage& next;
  int first_query;
  LaneRange lanes;  // of one half of the block

  template <int kQueries>
  void Run() const {
    constexpr int kVectors =
        VectorsFor(kQueries) > 2 ? 2 : VectorsFor(kQueries);
    const int half = lanes.first & ~(kConvertedFloats - 1);
    int lane = lanes.first;
    for (; lane + 16 * kVectors <= lanes.last; lane += 16 * kVectors) {
      ScoreVectors<kQueries, kVectors>(block, first_query,
                                       FloatSource{block.floats + lane - half},
                                       kConvertedFloats, lane, next);
    }
    for (; lane < lanes.last; lane += 16) {
      ScoreVectors<kQueries, 1>(block, first_query,
                                FloatSource{block.floats + lane - half},
                                kConvertedFloats, lane, next);
    }
  }
};

struct AddFromPage {
  const AttentionBlock& block;
  NextPage& next;
  int first_query;
  int dimension;
  int end;  // dimensions

  template <int kQueries>
  void Run() const {
    constexpr int kVectors = VectorsFor(kQueries);
    int d = dimension;
    for (; d + 16 * kVectors <= end; d += 16 * kVectors) {
      AddValues<kQueries, kVectors>(block, first_query,
                                    HalfSource{Values(block) + d},
                                    block.head_dim, d, next);
    }
    for (; d < end; d += 16) {
      AddValues<kQueries, 1>(block, first_query, HalfSource{Values(block) + d},
                             block.head_dim, d, next);
    }
  }
};

struct AddFromFloats {
  const AttentionBlock& block;
  NextPage& next;
  int first_query;
  int dimension;
  int end;  // at most kConvertedFloats further

  template <int kQueries>
  void Run() const {
    constexpr int kVectors =
        VectorsFor(kQueries) > 2 ? 2 : VectorsFor(kQueries);
    int d = dimension;
    for (; d + 16 * kVectors <= end; d += 16 * kVectors) {
      AddValues<kQueries, kVectors>(block, first_query,
                                    FloatSource{block.floats + d - dimension},
                                    kConvertedFloats, d, next);
    }
    for (; d < end; d += 16) {
      AddValues<kQueries, 1>(block, first_query,
                             FloatSource{block.floats + d - dimension},
                             kConvertedFloats, d, next);
    }
  }
};

// `rows` rows of one or two vectors, `stride` apart, to rows of
// kConvertedFloats.
inline void ConvertHalves(const uint16_t* halves, int64_t stride, int rows,
                          int width, float* floats) {
  for (int row = 0; row < rows;
       ++row, halves += stride, floats += kConvertedFloats) {
    Store(floats, LoadHalves(halves));
    if (width > 16) Store(floats + 16, LoadHalves(halves + 16));
  }
}

inline void ScoreAll(const AttentionBlock& block, bool converts,
                     NextPage& next) {
  if (!converts) {
    for (int q = 0, count = 0; q < block.num_queries; q += count) {
      count = NextQueries(block.num_queries - q, kAttentionQueries);
      WithQueries<kAttentionQueries>(
          count, ScoreFromPage{block, next, q, UnionOfLanes(block, q, count)});
    }
    return;
  }
  const LaneRange all = UnionOfLanes(block, 0, block.num_queries);
  for (int half = 0; half < kBlockLanes; half += kConvertedFloats) {
    const LaneRange lanes = {all.first > half ? all.first : half,
                             all.last < half + kConvertedFloats
                                 ? all.last
                                 : half + kConvertedFloats};
    if (lanes.first >= lanes.last) continue;
    ConvertHalves(Keys(block) + lanes.first, kBlockLanes, block.head_dim,
                  lanes.last - lanes.first, block.floats + lanes.first - half);
    for (int q = 0, count = 0; q < block.num_queries; q += count) {
      count = NextQueries(block.num_queries - q, kAttentionQueries);
      WithQueries<kAttentionQueries>(count,
                                     ScoreFromFloats{block, next, q, lanes});
    }
  }
}

// How many of the queries from `first` on, at most `limit`, see the same lanes.
inline int CountAlike(const AttentionBlock& block, int first, int limit) {
  const AttentionQueries& queries = block.queries;
  int count = 1;
  while (count < limit &&
         queries.first_lane[first + count] == queries.first_lane[first] &&
         queries.last_lane[first + count] == queries.last_lane[first]) {
    ++count;
  }
  return count;
}

inline void AccumulateAll(const AttentionBlock& block, bool converts,
                          NextPage& next) {
  const int whole = block.head_dim & ~15;
  const auto for_alike = [&](auto run) {
    for (int q = 0, count = 0; q < block.num_queries; q += count) {
      count = CountAlike(block, q,
                         NextQueries(block.num_queries - q, kAttentionQueries));
      run(q, count);
    }
  };
  if (converts) {
    const LaneRange lanes = UnionOfLanes(block, 0, block.num_queries);
    for (int d = 0; d < whole; d += kConvertedFloats) {
      const int end =
          d + kConvertedFloats < whole ? d + kConvertedFloats : whole;
      ConvertHalves(Values(block) + lanes.first * block.head_dim + d,
                    block.head_dim, lanes.last - lanes.first, end - d,
                    block.floats + lanes.first * kConvertedFloats);
      for_alike([&](int q, int count) {
        WithQueries<kAttentionQueries>(count,
                                       AddFromFloats{block, next, q, d, end});
      });
    }
  } else {
    for_alike([&](int q, int count) {
      WithQueries<kAttentionQueries>(count,
                                     AddFromPage{block, next, q, 0, whole});
    });
  }
  if (whole == block.head_dim) return;
  for (int q = 0; q < block.num_queries; ++q) AddLastValues(block, q, whole);
}

inline void AttendF16(const AttentionBlock& block) {
  const bool converts = block.num_queries > kAttentionQueries;
  NextPage next(block.next,
                int64_t{block.head_dim} * kBlockLanes * 2 * sizeof(uint16_t));
  ScoreAll(block, converts, next);
  TakeIntoSoftmax<false>(block.queries, block.num_queries, nullptr);
  AccumulateAll(block, converts, next);
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_INL_H_
