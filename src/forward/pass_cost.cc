#include "src/forward/pass_cost.h"

#include <algorithm>

namespace specinfer {
namespace {

bool IsFeedForward(const LayerWeights& layer, const LinearWeights* linear) {
  return linear == &layer.gate || linear == &layer.up || linear == &layer.down;
}

bool IsFloat(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

void AddLinear(const Weight& weight, uint64_t num_rows, PassCost* cost) {
  cost->read_bytes += weight.packed_bytes;
  const uint64_t num_products = num_rows *
                                static_cast<uint64_t>(weight.outputs) *
                                static_cast<uint64_t>(weight.inputs);
  (IsFloat(weight.dtype) ? cost->float_products : cost->int8_products) +=
      num_products;
}

// Σ over the rows of how many positions each sees.
uint64_t VisiblePositions(const PassShape& shape, int32_t window) {
  uint64_t num_visible = 0;
  for (int32_t row = 0; row < shape.num_rows; ++row) {
    const int64_t num_before = int64_t{shape.num_context_tokens} + row;
    num_visible += static_cast<uint64_t>(
        window == 0 ? num_before + 1
                    : std::min<int64_t>(num_before + 1, window));
  }
  return num_visible;
}

// Scores and sums of values, and the bytes of keys and values, of one layer.
void AddAttention(const Architecture& architecture, const CacheGroup& group,
                  CacheType cache_type, const PassShape& shape,
                  PassCost* cost) {
  const uint64_t per_position = 2 * static_cast<uint64_t>(architecture.heads) *
                                static_cast<uint64_t>(architecture.head_dim);
  (cache_type == CacheType::kQ8 ? cost->int8_products : cost->float_products) +=
      per_position * VisiblePositions(shape, group.window);
  const int64_t num_before =
      group.window == 0 ? shape.num_context_tokens
                        : std::min(shape.num_context_tokens, group.window - 1);
  cost->read_bytes += static_cast<uint64_t>(num_before + shape.num_rows) *
                      group.page_bytes /
                      (static_cast<uint64_t>(group.num_layers) *
                       static_cast<uint64_t>(kPagePositions));
}

}  // namespace

PassCost ComputePassCost(const Architecture& architecture,
                         const CacheLayout& layout, const Weights& weights,
                         const PassShape& shape) {
  PassCost cost;
  const uint64_t num_rows = static_cast<uint64_t>(shape.num_rows);
  const uint64_t num_answers = static_cast<uint64_t>(shape.num_answer_rows);
  const Weight& table = *weights.embedding.weight;
  if (weights.vectors != nullptr) cost.read_bytes += weights.vectors->size();
  cost.read_bytes +=
      num_rows * table.packed_bytes / static_cast<uint64_t>(table.outputs);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    const LayerWeights& layer = weights.layers[i];
    for (const LinearWeights* linear : layer.linears())
      if (!IsFeedForward(layer, linear))
        AddLinear(*linear->weight, num_rows, &cost);
    const CacheGroup& group =
        layout.groups[static_cast<size_t>(layout.group_of_layer[i])];
    AddAttention(architecture, group, layout.cache_type, shape, &cost);
    // Behind the last attention only rows count that are asked about.
    const bool is_last = i + 1 == weights.layers.size();
    if (is_last && num_answers == 0) break;
    for (const LinearWeights* linear : layer.linears())
      if (IsFeedForward(layer, linear))
        AddLinear(*linear->weight, is_last ? num_answers : num_rows, &cost);
  }
  if (num_answers > 0) AddLinear(weights.head(), num_answers, &cost);
  return cost;
}

std::vector<const Weight*> PassWeights(const Weights& weights) {
  std::vector<const Weight*> all;
  for (const LayerWeights& layer : weights.layers) {
    for (const LinearWeights* linear : layer.linears())
      all.push_back(linear->weight.get());
  }
  all.push_back(&weights.head());
  return all;
}

}  // namespace specinfer
