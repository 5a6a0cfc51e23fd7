// What one pass must read and multiply at the least: counted from shapes alone,
// for bounds and for planning.
#ifndef SPECINFER_SRC_FORWARD_PASS_COST_H_
#define SPECINFER_SRC_FORWARD_PASS_COST_H_

#include <cstdint>
#include <vector>

#include "src/forward/cache_layout.h"
#include "src/model/architecture.h"
#include "src/model/weights.h"

namespace specinfer {

// A pass over a chain of `num_rows` nodes of one sequence.
struct PassShape {
  int32_t num_context_tokens = 0;  // committed before
  int32_t num_rows = 1;
  int32_t num_answer_rows = 1;  // the head is asked about
};

struct PassCost {
  uint64_t read_bytes = 0;  // weights once, embedding rows, keys and values
  // Multiply-adds of quantised layers and of a q8 cache, and all others.
  uint64_t int8_products = 0;
  uint64_t float_products = 0;
};

// What the arithmetic of a pass needs: whatever a pass does beyond that (norms,
// softmax, reading a weight twice) is not in it.
PassCost ComputePassCost(const Architecture& architecture,
                         const CacheLayout& layout, const Weights& weights,
                         const PassShape& shape);

// The matrices that every pass reads whole.
std::vector<const Weight*> PassWeights(const Weights& weights);

}  // namespace specinfer

#endif  // SPECINFER_SRC_FORWARD_PASS_COST_H_
