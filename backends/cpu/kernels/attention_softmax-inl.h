// The softmax of attention over Vec16, block by block. Included after
// vec16_<isa>.h and tree_attention_kernel.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_ATTENTION_SOFTMAX_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_ATTENTION_SOFTMAX_INL_H_

#include "backends/cpu/kernels/attention_block-inl.h"

namespace specinfer::cpu {
namespace {

// What turns a dot into a score.
struct ScoreScale {
  ScoreScale(float scale, float soft_cap)
      : scale_(Broadcast(scale)),
        cap_(Broadcast(soft_cap)),
        has_cap_(soft_cap != 0.0f) {}

  Vec16 Apply(Vec16 dot) const {
    const Vec16 score = Multiply(dot, scale_);
    if (!has_cap_) return score;
    return Multiply(cap_, Tanh(Divide(score, cap_)));
  }

 private:
  const Vec16 scale_;
  const Vec16 cap_;
  const bool has_cap_;
};

inline bool SeesAll(const AttentionQueries& queries, int q) {
  return queries.first_lane[q] == 0 && queries.last_lane[q] == kBlockLanes;
}

// Puts `other` at the positions that a query does not see.
inline void SelectSeen(const AttentionQueries& queries, int q, Vec16 other,
                       Vec16 score[kBlockVectors]) {
  SPECINFER_UNROLL
  for (int v = 0; v < kBlockVectors; ++v) {
    const int first = queries.first_lane[q] - 16 * v;
    const int last = queries.last_lane[q] - 16 * v;
    score[v] = SelectLanes(first < 0    ? 0
                           : first > 16 ? 16
                                        : first,
                           last < 0    ? 0
                           : last > 16 ? 16
                                       : last,
                           score[v], other);
  }
}

inline void LoadBlock(const float* scores, Vec16 score[kBlockVectors]) {
  SPECINFER_UNROLL
  for (int v = 0; v < kBlockVectors; ++v) score[v] = Load(scores + 16 * v);
}
inline void StoreBlock(const Vec16 score[kBlockVectors], float* scores) {
  SPECINFER_UNROLL
  for (int v = 0; v < kBlockVectors; ++v) Store(scores + 16 * v, score[v]);
}

// Sixteen queries from q on, or as many as are left.
inline Vec16 LoadQueries(const float* p, int left) {
  return left >= 16 ? Load(p) : LoadFirst(p, left);
}
inline void StoreQueries(float* p, Vec16 a, int left) {
  if (left >= 16) {
    Store(p, a);
  } else {
    StoreFirst(p, a, left);
  }
}

// Turns the scores in `weights` into weights, exactly 0 where a query does not
// see, and takes the block into each query's softmax. With kScales the weights
// are then multiplied by `scales` of their positions, and `steps` becomes the
// greatest of each query.
template <bool kScales>
inline void TakeIntoSoftmax(const AttentionQueries& queries, int num_queries,
                            const float* scales) {
  constexpr int kMaxQueries = 16;
  const Vec16 lowest = Broadcast(-__builtin_inff());
  Vec16 scale[kBlockVectors];
  if constexpr (kScales) LoadBlock(scales, scale);
  for (int first = 0; first < num_queries; first += kMaxQueries) {
    const int left = num_queries - first;
    const int count = left < kMaxQueries ? left : kMaxQueries;
    Vec16 results[kMaxQueries], greatest[kMaxQueries];
    for (int i = 0; i < count; ++i) {
      float* weights = queries.weights + (first + i) * kBlockLanes;
      Vec16 score[kBlockVectors];
      LoadBlock(weights, score);
      if (!SeesAll(queries, first + i)) {
        SelectSeen(queries, first + i, lowest, score);
        StoreBlock(score, weights);
      }
      results[i] = Max(Max(score[0], score[1]), Max(score[2], score[3]));
    }
    for (int i = count; i < kMaxQueries; ++i) results[i] = greatest[i] = Zero();
    const Vec16 old_maximum = LoadQueries(queries.maximum + first, left);
    const Vec16 maximum = Max(MaximumEach(results), old_maximum);
    const Vec16 correction = ExpOfNotPositive(Subtract(old_maximum, maximum));
    StoreQueries(queries.maximum + first, maximum, left);
    StoreQueries(queries.correction + first, correction, left);
    for (int i = 0; i < count; ++i) {
      const Vec16 query_maximum = Broadcast(queries.maximum[first + i]);
      float* weights = queries.weights + (first + i) * kBlockLanes;
      Vec16 weight[kBlockVectors];
      LoadBlock(weights, weight);
      SPECINFER_UNROLL
      for (int v = 0; v < kBlockVectors; ++v)
        weight[v] = ExpOfNotPositive(Subtract(weight[v], query_maximum));
      results[i] = Add(Add(weight[0], weight[1]), Add(weight[2], weight[3]));
      if constexpr (kScales) {
        SPECINFER_UNROLL
        for (int v = 0; v < kBlockVectors; ++v)
          weight[v] = Multiply(weight[v], scale[v]);
        if (!SeesAll(queries, first + i))
          SelectSeen(queries, first + i, Zero(), weight);
        greatest[i] = Max(Max(weight[0], weight[1]), Max(weight[2], weight[3]));
      }
      StoreBlock(weight, weights);
    }
    StoreQueries(queries.sum + first,
                 Fma(LoadQueries(queries.sum + first, left), correction,
                     SumEach(results)),
                 left);
    if constexpr (kScales)
      StoreQueries(queries.steps + first, MaximumEach(greatest), left);
  }
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_ATTENTION_SOFTMAX_INL_H_
