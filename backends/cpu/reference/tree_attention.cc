#include "backends/cpu/reference/tree_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/q8_layout.h"
#include "backends/cpu/kernels/row_blocks.h"
#include "backends/cpu/reference/lanes.h"
#include "backends/cpu/reference/query_codes.h"
#include "backends/cpu/reference/tanh.h"
#include "src/base/half.h"

namespace specinfer::cpu {
namespace {

// What one row sees of one KV head in one block: where each position lies.
struct BlockView {
  int first_lane = 0, last_lane = 0;
  const uint8_t* head[kPagePositions] = {};  // in its page
  int lane[kPagePositions] = {};             // of that page
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
    view.head[lane] =
        Bytes(page) + args.layer_offset +
        CacheBytesPerLayer(kv_head, args.head_dim, args.cache_type);
    view.lane[lane] = slot % kPagePositions;
  }
  return view;
}

struct Softmax {
  float maximum = -std::numeric_limits<float>::infinity();
  float sum = 0.0f;
};

float ReadHalf(const uint8_t* bytes) {
  uint16_t half = 0;
  std::memcpy(&half, bytes, sizeof(half));
  return HalfToFloat(half);
}

float DotF16(const BlockView& view, int lane, const float* query,
             int head_dim) {
  const auto* keys =
      reinterpret_cast<const uint16_t*>(view.head[lane]) + view.lane[lane];
  float dot = 0.0f;
  for (int d = 0; d < head_dim; ++d)
    dot = std::fmaf(query[d], HalfToFloat(keys[d * kPagePositions]), dot);
  return dot;
}

float DotQ8(const BlockView& view, int lane, const QueryCodes& query,
            int head_dim) {
  const Q8Layout layout(head_dim);
  const uint8_t* head = view.head[lane];
  float dot = 0.0f;
  for (int block = 0; block < layout.num_scales(); ++block) {
    int32_t sum = 0;
    for (int d = block * kScaleDims; d < (block + 1) * kScaleDims; ++d) {
      sum += query.codes[d] *
             static_cast<int8_t>(
                 head[layout.key_quad(d / 4, view.lane[lane]) + d % 4]);
    }
    const float scale =
        query.scales[block] *
        ReadHalf(head + layout.key_scale(block, view.lane[lane]));
    dot = std::fmaf(scale, static_cast<float>(sum), dot);
  }
  return dot;
}

void AddValuesF16(const BlockView& view, const float* weight, float correction,
                  int head_dim, float* out) {
  for (int d = 0; d < head_dim; ++d) {
    float total = out[d] * correction;
    for (int lane = view.first_lane; lane < view.last_lane; ++lane) {
      const auto* values = reinterpret_cast<const uint16_t*>(view.head[lane]) +
                           (kPagePositions + view.lane[lane]) * head_dim;
      total = std::fmaf(weight[lane], HalfToFloat(values[d]), total);
    }
    out[d] = total;
  }
}

void AddValuesQ8(const BlockView& view, const float* weight, float correction,
                 int head_dim, float* out) {
  const Q8Layout layout(head_dim);
  float scaled[kPagePositions] = {};
  float greatest = 0.0f;
  for (int lane = view.first_lane; lane < view.last_lane; ++lane) {
    scaled[lane] = weight[lane] * ReadHalf(view.head[lane] +
                                           layout.value_scale(view.lane[lane]));
    greatest = std::max(greatest, scaled[lane]);
  }
  const float inverse =
      greatest >= kLeastWeight ? kGreatestWeight / greatest : 0.0f;
  const float step = greatest / kGreatestWeight;
  int32_t code[kPagePositions] = {};
  for (int lane = view.first_lane; lane < view.last_lane; ++lane) {
    const float rounded = std::nearbyintf(scaled[lane] * inverse);
    code[lane] = rounded > 0.0f
                     ? static_cast<int32_t>(std::min(rounded, kGreatestWeight))
                     : 0;
  }
  for (int d = 0; d < head_dim; ++d) {
    int32_t sum = 0;
    for (int lane = view.first_lane; lane < view.last_lane; ++lane) {
      sum +=
          code[lane] * static_cast<int8_t>(
                           view.head[lane][layout.value(d, view.lane[lane])]);
    }
    out[d] = std::fmaf(step, static_cast<float>(sum), out[d] * correction);
  }
}

void AttendView(const TreeAttentionArgs& args, const BlockView& view,
                const float* query, const QueryCodes& query_codes,
                Softmax* softmax, float* out) {
  const bool is_q8 = args.cache_type == CacheType::kQ8;
  float weight[kPagePositions] = {};
  float maximum = softmax->maximum;
  for (int lane = view.first_lane; lane < view.last_lane; ++lane) {
    const float dot = is_q8 ? DotQ8(view, lane, query_codes, args.head_dim)
                            : DotF16(view, lane, query, args.head_dim);
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
  if (is_q8) {
    AddValuesQ8(view, weight, correction, args.head_dim, out);
  } else {
    AddValuesF16(view, weight, correction, args.head_dim, out);
  }
}

}  // namespace

void TreeAttentionReference(const TreeAttentionArgs& args,
                            const AttentionSequence& sequence, int node,
                            int kv_head) {
  const int depth = sequence.depths.empty()
                        ? node
                        : sequence.depths[static_cast<size_t>(node)];
  const int end =
      sequence.num_committed + (args.sees_committed ? 0 : depth + 1);
  const int begin = args.window > 0 && !args.sees_committed
                        ? std::max(0, end - args.window)
                        : 0;
  const int group = args.heads / args.kv_heads;
  const int64_t row = RowOf(sequence, node);
  for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    const int64_t offset = (row * args.heads + head) * args.head_dim;
    const float* query = Floats(args.query) + offset;
    float* out = Floats(args.out) + offset;
    std::fill_n(out, args.head_dim, 0.0f);
    QueryCodes query_codes;
    if (args.cache_type == CacheType::kQ8)
      query_codes = QuantizeQueryReference(query, args.head_dim);
    Softmax softmax;
    for (int first = begin; first < end;
         first = (first / kPagePositions + 1) * kPagePositions) {
      const int last =
          std::min(end, (first / kPagePositions + 1) * kPagePositions);
      AttendView(args, ViewBlock(args, sequence, node, kv_head, first, last),
                 query, query_codes, &softmax, out);
    }
    for (int d = 0; d < args.head_dim; ++d) out[d] = out[d] / softmax.sum;
  }
}

}  // namespace specinfer::cpu
