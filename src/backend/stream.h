// The ops of a forward pass, queued in order on one device.
//
// Every op is row-invariant: the bits of a row depend on that row alone
// (backends/cpu/README.md has the exact sequence of operations). Ops check
// nothing: shapes are settled when the model is loaded.
#ifndef SPECINFER_SRC_BACKEND_STREAM_H_
#define SPECINFER_SRC_BACKEND_STREAM_H_

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "src/backend/tensor.h"
#include "src/backend/turns.h"
#include "src/base/clock.h"

namespace specinfer {

class Weight;

using Token = int32_t;

// ---- Linear layers ----------------------------------------------------------

struct EmbedArgs {
  const Weight* table = nullptr;  // [vocabulary, width]
  absl::Span<const Token> tokens;
  float multiplier = 1.0f;  // gemma: sqrt(width)
  Tensor out;               // [rows, width]
};

struct LinearOutput {
  const Weight* weight = nullptr;  // [outputs, inputs]
  Tensor bias;                     // [1, outputs]; may be empty
  Tensor out;                      // [rows, outputs]
};

// A low-rank change of a layer, chosen by row. No caller sets it yet.
struct LowRank;

// out = weight · in + bias for each output; the outputs share one reading of
// `in`.
struct LinearArgs {
  Tensor in;  // [rows, inputs]
  absl::Span<const LinearOutput> outputs;
  const LowRank* low_rank = nullptr;
};

// ---- Elementwise ------------------------------------------------------------

// out = in / sqrt(mean(in²) + epsilon) · weight, row by row; `out` may be `in`.
// Heads are rows: Reshaped(head_dim).
struct RmsNormArgs {
  Tensor in;      // [rows, width]
  Tensor weight;  // [1, width]
  float epsilon = 1e-6f;
  Tensor out;
};

// out = (in - mean) / sqrt(mean((in - mean)²) + epsilon) · weight + bias, row
// by row; `out` may be `in`.
struct LayerNormArgs {
  Tensor in;            // [rows, width]
  Tensor weight, bias;  // [1, width]
  float epsilon = 1e-5f;
  Tensor out;
};

// kGelu is the exact one, x · Φ(x); kGeluTanh its usual approximation.
enum class Activation : uint8_t { kSilu, kGeluTanh, kGelu };

// out = activation(gate) · up, or activation(gate) without `up`; `out` may be
// `gate`.
struct GatedActivationArgs {
  Activation activation = Activation::kSilu;
  Tensor gate, up, out;  // [rows, width]
};

// sum += addend.
struct AddArgs {
  Tensor sum, addend;  // [rows, width]
};

struct GatherRowsArgs {
  Tensor in;  // [in_rows, width]
  absl::Span<const int32_t> rows;
  Tensor out;  // [rows.size(), width]
};

// The inputs of a convolution over three neighbouring frames, so that a linear
// layer does the rest: out[r][3 · c + k] = in[r · stride + k - 1][c], and 0
// outside of the sequence. `in` is some sequences of `frames` rows each.
struct UnfoldArgs {
  Tensor in;  // [sequences · frames, channels]
  int64_t frames = 0;
  int64_t stride = 1;
  Tensor out;  // [sequences · ceil(frames / stride), 3 · channels]
};

// ---- The key-value cache and attention --------------------------------------

inline constexpr int kPagePositions =
    64;  // positions of a page, and of an attention block

// What keys and values are rounded to when they are stored.
enum class CacheType : uint8_t {
  kF16,  // half floats
  kQ8,   // bytes with scales along the head: about half of that
};

// A page holds 64 cache slots of all layers of a group. Per layer, at its
// `layer_offset`, and per KV head it holds keys, then values.
//
// kF16: keys transposed, [head_dim][64], then values, [64][head_dim].
//
// kQ8, with `dims` = head_dim rounded up to 32: codes of keys, [4 groups of 16
// positions][dims / 4][16 positions][4 dims]; codes of values, [dims / 16][16
// groups of 4 positions][16 dims][4 positions]; half-float scales of keys,
// [dims / 32][64]; half-float scales of values, [64]. Keys are turned before
// they are rounded (backends/cpu/README.md).
struct CachePage {
  Buffer* buffer = nullptr;  // null: not held (fell out of the window)
  size_t offset = 0;
};

inline constexpr size_t CacheBytesPerLayer(int64_t kv_heads, int64_t head_dim,
                                           CacheType type = CacheType::kF16) {
  const int64_t dims = (head_dim + 31) / 32 * 32;
  const int64_t head_bytes =
      type == CacheType::kF16
          ? head_dim * 2 * kPagePositions * 2
          : (dims * 2 + (dims / 32 + 1) * 2) * kPagePositions;
  return static_cast<size_t>(kv_heads * head_bytes);
}

// One layer's cache of one sequence, and the sequence's rows in this pass. Slot
// s lies in page s / 64, lane s % 64. Committed tokens sit at slot = position.
// Tree node i sits at slot num_committed + i and at position num_committed +
// depth(i).
struct AttentionSequence {
  absl::Span<const CachePage> pages;
  int32_t num_committed = 0;
  int32_t num_nodes = 0;
  // Nodes before it were stored by earlier passes. Row first_row + i of the
  // pass is node first_node + i.
  int32_t first_node = 0;
  int32_t first_row = 0;
  absl::Span<const int32_t>
      depths;  // [num_nodes]; empty: a chain, node i has depth i
  // Node i's path from the root to itself: bit j of words [i · words, (i + 1) ·
  // words), words = ceil(num_nodes / 64). Empty: a chain, each node sees the
  // nodes before it.
  absl::Span<const uint64_t> path_bits;
};

enum class RopePairing : uint8_t {
  kHalves,
  kAdjacent
};  // (i, i + n/2): "NEOX"; (2i, 2i + 1): "NORM"

// Turns queries and keys by their positions, then stores keys and values,
// rounded to the cache's type, in the cache.
struct RopeAndStoreArgs {
  Tensor query;  // [rows, heads · head_dim], turned in place
  Tensor key;    // [rows, kv_heads · head_dim], turned in place
  Tensor value;  // [rows, kv_heads · head_dim]
  // [rows, rotary_dims / 2] pairs (cosine, sine), on the host.
  absl::Span<const float> cos_sin;
  int32_t rotary_dims =
      0;  // 0: no rotation; the rest of a head passes unchanged
  RopePairing pairing = RopePairing::kHalves;
  int32_t heads = 0, kv_heads = 0, head_dim = 0;
  absl::Span<const AttentionSequence> sequences;
  CacheType cache_type = CacheType::kF16;
  size_t layer_offset = 0;
};

// Softmax attention of each row over the committed slots and the nodes on its
// own path, itself included. Query head h reads KV head h / (heads / kv_heads).
// A row at position p sees positions > p - window.
struct TreeAttentionArgs {
  Tensor query;  // [rows, heads · head_dim]
  absl::Span<const AttentionSequence> sequences;
  CacheType cache_type = CacheType::kF16;
  size_t layer_offset = 0;
  int32_t heads = 0, kv_heads = 0, head_dim = 0;
  int32_t window = 0;     // 0: everything
  float scale = 1.0f;     // of the scores
  float soft_cap = 0.0f;  // 0: none; else cap · tanh(score / cap)
  // Each row sees all committed slots instead, and no node: an encoder's
  // attention, and a decoder's to what was encoded. `depths`, `path_bits` and
  // `window` are not looked at.
  bool sees_committed = false;
  Tensor out;  // [rows, heads · head_dim]
};

// How much one head of each row looks at what was committed: the softmax of its
// scores over all committed slots, of which the first `num_positions` are told.
struct AttentionWeightsArgs {
  Tensor query;  // [rows, heads · head_dim]
  // As sees_committed of TreeAttentionArgs has them.
  absl::Span<const AttentionSequence> sequences;
  CacheType cache_type = CacheType::kF16;
  size_t layer_offset = 0;
  int32_t heads = 0, kv_heads = 0, head_dim = 0;
  int32_t head = 0;           // the query head that is asked about
  float scale = 1.0f;         // of the scores
  int32_t num_positions = 0;  // at most num_committed of every sequence
  absl::Span<float> out;      // [rows, num_positions], on the host
};

// Copies slots of one sequence, ascending and in order; to[i] <= from[i]. Pages
// are whole, all layers of the group.
struct MoveCacheSlotsArgs {
  absl::Span<const CachePage> pages;
  absl::Span<const int32_t> from, to;
  CacheType cache_type = CacheType::kF16;
  int32_t num_layers = 0, kv_heads = 0,
          head_dim = 0;  // of the group; layers are CacheBytesPerLayer apart
};

// ---- The head ---------------------------------------------------------------

// adjusted = (logit > 0 ? logit / repetition : logit · repetition) + bias
struct Adjustment {
  Token token = 0;
  float repetition = 1.0f;
  float bias = 0.0f;
};

// Gumbel noise keyed by what the token is, never by when it was asked
// for.
struct NoiseKey {
  uint64_t seed = 0;
  uint64_t stream = 0;
  int64_t position = 0;  // of the token being chosen
};

// A scored token. Order everywhere: logit descending, then id ascending.
struct Candidate {
  Token token = 0;
  float logit = 0.0f;  // adjusted
};

// One question about one row of logits, after adjustments; tokens outside
// `allowed` do not exist.
struct HeadQuery {
  int32_t row = 0;  // of `hidden`
  absl::Span<const Adjustment>
      adjustments;  // ascending by token, no token twice
  absl::Span<const uint64_t>
      allowed;  // bit set over the vocabulary; empty: all

  // (a) The token with the greatest logit · inverse_temperature + noise
  // (without noise: the greatest logit).
  Candidate* arg_max = nullptr;
  bool has_noise = false;
  float inverse_temperature = 1.0f;
  NoiseKey noise;

  // (b) The likeliest top.size() tokens (fewer exist: the rest get token -1),
  // and ln Σ exp(logit).
  absl::Span<Candidate> top;
  double* log_sum_exp = nullptr;

  // (c) The whole adjusted row; tokens that do not exist get -infinity.
  absl::Span<float> full;

  // The adjusted logit of one given token (scoring). May be asked with any of
  // the above.
  Token score_token = -1;
  float* score = nullptr;
};

struct HeadArgs {
  Tensor hidden;                   // [rows, width], normalised
  const Weight* weight = nullptr;  // [vocabulary, width]
  float multiplier = 1.0f;         // of every logit
  float soft_cap = 0.0f;           // 0: none
  // Only the first tokens of the vocabulary exist, for drafting; 0: all.
  int32_t num_tokens = 0;
  absl::Span<const HeadQuery> queries;
};

// ---- The stream -------------------------------------------------------------

// Says when a pass must stop early, and for whom it must wait.
struct PassControl {
  int64_t deadline_us = kNoDeadline;
  const std::atomic<bool>* is_cancelled = nullptr;
  Turn* turn = nullptr;  // null: it waits for nobody

  // A clock that stands still while a pass waits its turn: what it measures is
  // work.
  int64_t WorkMicros() const {
    return NowMicros() - (turn == nullptr ? 0 : turn->waited_us());
  }
};

// Work queued in order on one device. Not thread-safe.
//
// A pass is a fixed series of ops. At its deadline an op stops between tiles
// and returns DEADLINE_EXCEEDED. Whoever runs the pass then starts it again
// with `resume` set and issues the same ops with the same arguments: those that
// were complete return at once, the one that stopped continues at its next
// tile. So the model's code has no state.
//
// While a pass must wait its turn, no tile of it begins; its deadline and its
// cancel end that as they end work, but no tile is owed then.
class Stream {
 public:
  virtual ~Stream() = default;

  // Starts a pass, or continues the last one that stopped at its deadline.
  virtual void Begin(const PassControl& control, bool resume) = 0;

  virtual absl::Status CopyIn(absl::Span<const float> from,
                              const Tensor& to) = 0;
  virtual absl::Status CopyOut(const Tensor& from, absl::Span<float> to) = 0;
  virtual absl::Status Embed(const EmbedArgs& args) = 0;
  virtual absl::Status RmsNorm(const RmsNormArgs& args) = 0;
  virtual absl::Status LayerNorm(const LayerNormArgs& args) = 0;
  virtual absl::Status Unfold(const UnfoldArgs& args) = 0;
  virtual absl::Status Linear(const LinearArgs& args) = 0;
  virtual absl::Status RopeAndStore(const RopeAndStoreArgs& args) = 0;
  virtual absl::Status TreeAttention(const TreeAttentionArgs& args) = 0;
  virtual absl::Status AttentionWeights(const AttentionWeightsArgs& args) = 0;
  virtual absl::Status GatedActivation(const GatedActivationArgs& args) = 0;
  virtual absl::Status Add(const AddArgs& args) = 0;
  virtual absl::Status GatherRows(const GatherRowsArgs& args) = 0;
  virtual absl::Status MoveCacheSlots(const MoveCacheSlotsArgs& args) = 0;
  virtual absl::Status Head(const HeadArgs& args) = 0;

  // Blocks until everything queued has finished; reports device errors.
  // Every op, and this, returns CANCELLED once the pass is cancelled,
  // DEADLINE_EXCEEDED past its deadline.
  virtual absl::Status Wait() = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_BACKEND_STREAM_H_
