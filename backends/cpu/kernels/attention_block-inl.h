// How the queries of a block share its keys and values. Included after
// tree_attention_kernel.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_ATTENTION_BLOCK_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_ATTENTION_BLOCK_INL_H_

#include <cstdint>

namespace specinfer::cpu {
namespace {

inline constexpr int kBlockLanes = 64;
inline constexpr int kBlockVectors = kBlockLanes / 16;

// The short loops over queries and vectors are unrolled by pragma, so that
// their arrays live in registers at every level of optimisation.
#define SPECINFER_UNROLL _Pragma("GCC unroll 16")

// Asks for the page that will be read next, little by little: a burst would
// hold up the loads of this one.
class NextPage {
 public:
  NextPage(const uint8_t* page, int64_t num_bytes)
      : p_(page), end_(page == nullptr ? page : page + num_bytes) {}

  void Fetch(int num_lines) {
    for (; num_lines > 0 && p_ < end_; --num_lines, p_ += 64)
      __builtin_prefetch(p_, 0, 2);
  }

  // The part of a loop of `num_steps` that prefetch kLines cache lines each.
  template <int kLines>
  class Part {
   public:
    Part(NextPage& page, int num_steps)
        : p_(page.p_), stride_(page.p_ < page.end_ ? 64 : 0) {
      page.p_ += stride_ * kLines * num_steps;
    }
    void Step() {
      for (int i = 0; i < kLines; ++i, p_ += stride_)
        __builtin_prefetch(p_, 0, 2);
    }

   private:
    const uint8_t* p_;
    const int64_t stride_;
  };

 private:
  const uint8_t* p_;
  const uint8_t* const end_;
};

// Lanes [first, last), rounded out to vectors.
struct LaneRange {
  int first = kBlockLanes;
  int last = 0;
};

inline LaneRange UnionOfLanes(const AttentionBlock& block, int first_query,
                              int num_queries) {
  LaneRange lanes;
  for (int q = first_query; q < first_query + num_queries; ++q) {
    if (block.queries.first_lane[q] < lanes.first)
      lanes.first = block.queries.first_lane[q];
    if (block.queries.last_lane[q] > lanes.last)
      lanes.last = block.queries.last_lane[q];
  }
  return {lanes.first & ~15, (lanes.last + 15) & ~15};
}

// How kQueries queries, or as many as `count` says, go through a step.
template <int kQueries, typename Step>
inline void WithQueries(int count, const Step& step) {
  if (count == kQueries) {
    step.template Run<kQueries>();
  } else if constexpr (kQueries > 1) {
    WithQueries<kQueries - 1>(count, step);
  }
}

// The number of queries that go together when `left` are left: as equal as can
// be.
inline int NextQueries(int left, int most) {
  const int num_parts = (left + most - 1) / most;
  return (left + num_parts - 1) / num_parts;
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_ATTENTION_BLOCK_INL_H_
