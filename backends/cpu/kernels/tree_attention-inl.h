// TreeAttention over Vec16. Included by tree_attention_<isa>.cc after
// vec16_<isa>.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_INL_H_

namespace specinfer::cpu {
namespace {

// The short loops over queries and vectors are unrolled by pragma, so that
// their arrays live in registers at every level of optimisation.
inline constexpr int kBlockLanes = 64;
inline constexpr int kBlockVectors = kBlockLanes / 16;

inline Vec16 ScaleScore(const AttentionBlock& block, Vec16 dot) {
  const Vec16 score = Multiply(dot, Broadcast(block.scale));
  if (block.soft_cap == 0.0f) return score;
  const Vec16 cap = Broadcast(block.soft_cap);
  return Multiply(cap, Tanh(Divide(score, cap)));
}

// Scores of kQueries queries at kVectors vectors of positions from `vector` on:
// every key is read once for all.
template <int kQueries, int kVectors>
inline void ScoreVectors(const AttentionBlock& block, int first_query,
                         int vector) {
  const AttentionQuery* queries = block.queries + first_query;
  Vec16 dots[kQueries][kVectors];
#pragma GCC unroll 4
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) dots[q][v] = Zero();
  }
  const uint16_t* keys = block.keys + 16 * vector;
  for (int d = 0; d < block.head_dim; ++d, keys += kBlockLanes) {
    Vec16 key[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) key[v] = LoadHalves(keys + 16 * v);
#pragma GCC unroll 4
    for (int q = 0; q < kQueries; ++q) {
      const Vec16 element = Broadcast(queries[q].query[d]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        dots[q][v] = Fma(element, key[v], dots[q][v]);
    }
  }
#pragma GCC unroll 4
  for (int q = 0; q < kQueries; ++q) {
    float* weights =
        block.weights + (first_query + q) * kBlockLanes + 16 * vector;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v)
      Store(weights + 16 * v, ScaleScore(block, dots[q][v]));
  }
}

template <int kQueries>
inline void Score(const AttentionBlock& block, int first_query) {
  int first_lane = kBlockLanes;
  int last_lane = 0;
  for (int q = first_query; q < first_query + kQueries; ++q) {
    if (block.queries[q].first_lane < first_lane)
      first_lane = block.queries[q].first_lane;
    if (block.queries[q].last_lane > last_lane)
      last_lane = block.queries[q].last_lane;
  }
  int vector = first_lane / 16;
  const int end = (last_lane + 15) / 16;
  for (; vector + kAttentionKeyVectors <= end; vector += kAttentionKeyVectors) {
    ScoreVectors<kQueries, kAttentionKeyVectors>(block, first_query, vector);
  }
  for (; vector < end; ++vector)
    ScoreVectors<kQueries, 1>(block, first_query, vector);
}

// Turns a query's scores into weights and takes the block into its softmax.
inline void Weigh(AttentionQuery* query, float* weights) {
  constexpr float kInfinity = __builtin_inff();
  int first[kBlockVectors], last[kBlockVectors];
  Vec16 score[kBlockVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kBlockVectors; ++v) {
    const int first_lane = query->first_lane - 16 * v;
    const int last_lane = query->last_lane - 16 * v;
    first[v] = first_lane < 0 ? 0 : first_lane > 16 ? 16 : first_lane;
    last[v] = last_lane < 0 ? 0 : last_lane > 16 ? 16 : last_lane;
    score[v] = SelectLanes(first[v], last[v], Load(weights + 16 * v),
                           Broadcast(-kInfinity));
  }
  const float block_maximum =
      Maximum(Max(Max(score[0], score[1]), Max(score[2], score[3])));
  const float maximum =
      block_maximum > query->maximum ? block_maximum : query->maximum;
#pragma GCC unroll 4
  for (int v = 0; v < kBlockVectors; ++v) {
    score[v] = SelectLanes(first[v], last[v],
                           Exp(Subtract(score[v], Broadcast(maximum))), Zero());
    Store(weights + 16 * v, score[v]);
  }
  const float sum = Sum(Add(Add(score[0], score[1]), Add(score[2], score[3])));
  float lanes[16];
  Store(lanes, Exp(Broadcast(query->maximum - maximum)));
  query->correction = lanes[0];
  query->sum = __builtin_fmaf(query->sum, query->correction, sum);
  query->maximum = maximum;
}

// Adds the weighted values [dimension, dimension + 16 · kVectors) to kQueries
// queries that see the same lanes.
template <int kQueries, int kVectors>
inline void AddValues(const AttentionBlock& block, int first_query,
                      int dimension) {
  const AttentionQuery* queries = block.queries + first_query;
  Vec16 out[kQueries][kVectors];
#pragma GCC unroll 4
  for (int q = 0; q < kQueries; ++q) {
    const Vec16 correction = Broadcast(queries[q].correction);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      out[q][v] =
          Multiply(Load(queries[q].out + dimension + 16 * v), correction);
    }
  }
  const float* weights = block.weights + first_query * kBlockLanes;
  for (int lane = queries->first_lane; lane < queries->last_lane; ++lane) {
    const uint16_t* values = block.values + lane * block.head_dim + dimension;
    Vec16 value[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) value[v] = LoadHalves(values + 16 * v);
#pragma GCC unroll 4
    for (int q = 0; q < kQueries; ++q) {
      const Vec16 weight = Broadcast(weights[q * kBlockLanes + lane]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        out[q][v] = Fma(weight, value[v], out[q][v]);
    }
  }
#pragma GCC unroll 4
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v)
      Store(queries[q].out + dimension + 16 * v, out[q][v]);
  }
}

inline void AddLastValues(const AttentionBlock& block, int query_index,
                          int dimension) {
  const AttentionQuery& query = block.queries[query_index];
  const int count = block.head_dim - dimension;
  const float* weights = block.weights + query_index * kBlockLanes;
  Vec16 out = Multiply(LoadFirst(query.out + dimension, count),
                       Broadcast(query.correction));
  for (int lane = query.first_lane; lane < query.last_lane; ++lane) {
    const Vec16 value = LoadFirstHalves(
        block.values + lane * block.head_dim + dimension, count);
    out = Fma(Broadcast(weights[lane]), value, out);
  }
  StoreFirst(query.out + dimension, out, count);
}

template <int kQueries>
inline void Accumulate(const AttentionBlock& block, int first_query) {
  const int whole = block.head_dim & ~15;
  int dimension = 0;
  for (; dimension + 16 * kAttentionValueVectors <= whole;
       dimension += 16 * kAttentionValueVectors) {
    AddValues<kQueries, kAttentionValueVectors>(block, first_query, dimension);
  }
  for (; dimension < whole; dimension += 16)
    AddValues<kQueries, 1>(block, first_query, dimension);
  if (whole == block.head_dim) return;
#pragma GCC unroll 4
  for (int q = 0; q < kQueries; ++q)
    AddLastValues(block, first_query + q, whole);
}

// How many of the queries from `first` on, at most kAttentionQueries, see the
// same lanes.
inline int CountAlike(const AttentionBlock& block, int first) {
  int count = 1;
  while (count < kAttentionQueries && first + count < block.num_queries &&
         block.queries[first + count].first_lane ==
             block.queries[first].first_lane &&
         block.queries[first + count].last_lane ==
             block.queries[first].last_lane) {
    ++count;
  }
  return count;
}

inline void AttendBlock(const AttentionBlock& block) {
  static_assert(kAttentionQueries == 4);
  for (int q = 0; q < block.num_queries; q += kAttentionQueries) {
    const int left = block.num_queries - q;
    if (left >= 4) {
      Score<4>(block, q);
    } else if (left == 3) {
      Score<3>(block, q);
    } else if (left == 2) {
      Score<2>(block, q);
    } else {
      Score<1>(block, q);
    }
  }
  for (int q = 0; q < block.num_queries; ++q)
    Weigh(block.queries + q, block.weights + q * kBlockLanes);
  for (int q = 0, count = 0; q < block.num_queries; q += count) {
    count = CountAlike(block, q);
    if (count == 4) {
      Accumulate<4>(block, q);
    } else if (count == 3) {
      Accumulate<3>(block, q);
    } else if (count == 2) {
      Accumulate<2>(block, q);
    } else {
      Accumulate<1>(block, q);
    }
  }
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_TREE_ATTENTION_INL_H_
