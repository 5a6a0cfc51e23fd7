#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/gathered_block.h"
#include "backends/cpu/kernels/ops.h"
#include "backends/cpu/kernels/q8_layout.h"
#include "backends/cpu/kernels/row_blocks.h"
#include "backends/cpu/reference/lanes.h"
#include "backends/cpu/reference/query_codes.h"
#include "src/base/half.h"
#include "src/base/scalar_math.h"

namespace specinfer::cpu {
namespace {

struct Query {
  const float* values = nullptr;  // [head_dim]
  QueryCodes codes;               // of a q8 cache
};

// Adds the products of a query with the keys of a page's 64 slots to `dots`;
// slots that hold nothing give anything.
void MultiplyF16(const uint8_t* page, const Query& query, int head_dim,
                 float* dots) {
  const auto* keys = reinterpret_cast<const uint16_t*>(page);
  for (int d = 0; d < head_dim; ++d, keys += kPagePositions) {
    for (int lane = 0; lane < kPagePositions; ++lane) {
      dots[lane] =
          std::fmaf(query.values[d], HalfToFloat(keys[lane]), dots[lane]);
    }
  }
}

void MultiplyQ8(const uint8_t* page, const Query& query, int head_dim,
                float* dots) {
  const Q8Layout layout(head_dim);
  for (int block = 0; block < layout.num_scales(); ++block) {
    int32_t sums[kPagePositions] = {};
    for (int d = block * kScaleDims; d < (block + 1) * kScaleDims; d += 4) {
      const int8_t* codes = query.codes.codes + d;
      for (int lane = 0; lane < kPagePositions; ++lane) {
        const auto* key = reinterpret_cast<const int8_t*>(
            page + layout.key_quad(d / 4, lane));
        sums[lane] += codes[0] * key[0] + codes[1] * key[1] +
                      codes[2] * key[2] + codes[3] * key[3];
      }
    }
    for (int lane = 0; lane < kPagePositions; ++lane) {
      uint16_t half = 0;
      std::memcpy(&half, page + layout.key_scale(block, lane), sizeof(half));
      dots[lane] = std::fmaf(query.codes.scales[block] * HalfToFloat(half),
                             static_cast<float>(sums[lane]), dots[lane]);
    }
  }
}

struct Softmax {
  float maximum = -std::numeric_limits<float>::infinity();
  float sum = 0.0f;
};

// The first `num_scores` scores of a block.
void AddScores(const float* scores, int num_scores, Softmax* softmax) {
  float maximum = softmax->maximum;
  for (int lane = 0; lane < num_scores; ++lane)
    maximum = std::max(maximum, scores[lane]);
  const float correction = Exp(softmax->maximum - maximum);
  float weights[kPagePositions] = {};
  for (int lane = 0; lane < num_scores; ++lane)
    weights[lane] = Exp(scores[lane] - maximum);
  float lanes[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    lanes[i] =
        (weights[i] + weights[i + 16]) + (weights[i + 32] + weights[i + 48]);
  }
  softmax->sum = std::fmaf(softmax->sum, correction, SumLanes(lanes));
  softmax->maximum = maximum;
}

// `out` holds scores until the greatest of them is known.
void WeighRow(const AttentionWeightsArgs& args, const CacheHead& head,
              const float* values, float* out) {
  const bool is_q8 = args.cache_type == CacheType::kQ8;
  Query query = {.values = values};
  if (is_q8) query.codes = QuantizeQueryReference(values, args.head_dim);
  const int num_committed = head.sequence->num_committed;
  Softmax softmax;
  for (int start = 0; start < num_committed; start += kPagePositions) {
    float scores[kPagePositions] = {};
    (is_q8 ? MultiplyQ8 : MultiplyF16)(head.page(start), query, args.head_dim,
                                       scores);
    for (float& score : scores) score *= args.scale;
    AddScores(scores, std::min(kPagePositions, num_committed - start),
              &softmax);
    const int num_told =
        std::clamp(args.num_positions - start, 0, kPagePositions);
    if (num_told > 0) std::copy_n(scores, num_told, out + start);
  }
  for (int position = 0; position < args.num_positions; ++position)
    out[position] = Exp(out[position] - softmax.maximum) / softmax.sum;
}

}  // namespace

absl::Status RunAttentionWeights(const AttentionWeightsArgs& args,
                                 TileRunner& tiles) {
  const int kv_head = args.head / (args.heads / args.kv_heads);
  const size_t offset =
      args.layer_offset +
      CacheBytesPerLayer(kv_head, args.head_dim, args.cache_type);
  const int64_t num_rows = CountRowBlocks(args.sequences, /*rows_per_block=*/1);
  return tiles.Phase(num_rows, [&](int64_t index, int) {
    const RowBlock block =
        FindRowBlock(args.sequences, /*rows_per_block=*/1, index);
    const int64_t row = RowOf(*block.sequence, block.first);
    const float* query =
        Floats(args.query) + (row * args.heads + args.head) * args.head_dim;
    WeighRow(args, {block.sequence, args.cache_type, args.head_dim, offset},
             query, args.out.data() + row * args.num_positions);
  });
}

}  // namespace specinfer::cpu
