#include "backends/cpu/reference/tree_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/reference/lanes.h"
#include "backends/cpu/reference/tanh.h"
#include "src/base/half.h"

namespace specinfer::cpu {
namespace {

// The keys and values of one KV head that one row sees in one block.
struct BlockView {
  int first_lane = 0, last_lane = 0;
  const uint16_t* key[kPagePositions] = {};    // element d is 64 · d further
  const uint16_t* value[kPagePositions] = {};  // element d is d further
};

// The slot of each position from num_committed on that `node` sees is that of
// its ancestor there.
int FindSlot(const AttentionSequence& sequence, int node, int position) {
  if (position < sequence.num_committed || sequence.path_bits.empty())
    return position;
  const size_t num_words = static_cast<size_t>((sequence.num_nodes + 63) / 64);
  for (int i = 0; i <= node; ++i) {
    const uint64_t word =
        sequence.path_bits[static_cast<size_t>(node) * num_words +
                           static_cast<size_t>(i / 64)];
    const int depth = position - sequence.num_committed;
    if (((word >> (i % 64)) & 1u) != 0 &&
        sequence.depths[static_cast<size_t>(i)] == depth) {
      return sequence.num_committed + i;
    }
  }
  return position;
}

BlockView ViewBlock(const TreeAttentionArgs& args,
                    const AttentionSequence& sequence, int node, int kv_head,
                    int first_position, int last_position) {
  BlockView view;
  const int start = first_position / kPagePositions * kPagePositions;
  view.first_lane = first_position - start;
  view.last_lane = last_position - start;
  for (int lane = view.first_lane; lane < view.last_lane; ++lane) {
    const int slot = FindSlot(sequence, node, start + lane);
    const CachePage& page =
        sequence.pages[static_cast<size_t>(slot / kPagePositions)];
    const size_t head_offset = CacheBytesPerLayer(kv_head, args.head_dim);
    const auto* keys = reinterpret_cast<const uint16_t*>(
        Bytes(page) + args.layer_offset + head_offset);
    view.key[lane] = keys + slot % kPagePositions;
    view.value[lane] = keys + args.head_dim * kPagePositions +
                       (slot % kPagePositions) * args.head_dim;
  }
  return view;
}

struct Softmax {
  float maximum = -std::numeric_limits<float>::infinity();
  float sum = 0.0f;
};

void AttendView(const TreeAttentionArgs& args, const BlockView& view,
                const float* query, Softmax* softmax, float* out) {
  float weight[kPagePositions] = {};
  float maximum = softmax->maximum;
  for (int lane = view.first_lane; lane < view.last_lane; ++lane) {
    float dot = 0.0f;
    for (int d = 0; d < args.head_dim; ++d) {
      dot = std::fmaf(query[d], HalfToFloat(view.key[lane][d * kPagePositions]),
                      dot);
    }
    float score = dot * args.scale;
    if (args.soft_cap != 0.0f)
      score = args.soft_cap * Tanh(score / args.soft_cap);
    weight[lane] = score;
    maximum = std::max(maximum, score);
  }
  const float correction = Exp(softmax->maximum - maximum);
  for (int lane = view.first_lane; lane < view.last_lane; ++lane)
    weight[lane] = Exp(weight[lane] - maximum);
  float lanes[kLanes];
  for (int i = 0; i < kLanes; ++i)
    lanes[i] = (weight[i] + weight[i + 16]) + (weight[i + 32] + weight[i + 48]);
  softmax->sum = std::fmaf(softmax->sum, correction, SumLanes(lanes));
  softmax->maximum = maximum;
  for (int d = 0; d < args.head_dim; ++d) {
    float total = out[d] * correction;
    for (int lane = view.first_lane; lane < view.last_lane; ++lane) {
      total = std::fmaf(weight[lane], HalfToFloat(view.value[lane][d]), total);
    }
    out[d] = total;
  }
}

}  // namespace

void TreeAttentionReference(const TreeAttentionArgs& args,
                            const AttentionSequence& sequence, int node,
                            int kv_head) {
  const int depth = sequence.depths.empty()
                        ? node
                        : sequence.depths[static_cast<size_t>(node)];
  const int end = sequence.num_committed + depth + 1;
  const int begin = args.window > 0 ? std::max(0, end - args.window) : 0;
  const int group = args.heads / args.kv_heads;
  const int64_t row = sequence.first_row + node;
  for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    const int64_t offset = (row * args.heads + head) * args.head_dim;
    const float* query = Floats(args.query) + offset;
    float* out = Floats(args.out) + offset;
    std::fill_n(out, args.head_dim, 0.0f);
    Softmax softmax;
    for (int first = begin; first < end;
         first = (first / kPagePositions + 1) * kPagePositions) {
      const int last =
          std::min(end, (first / kPagePositions + 1) * kPagePositions);
      AttendView(args, ViewBlock(args, sequence, node, kv_head, first, last),
                 query, &softmax, out);
    }
    for (int d = 0; d < args.head_dim; ++d) out[d] = out[d] / softmax.sum;
  }
}

}  // namespace specinfer::cpu
