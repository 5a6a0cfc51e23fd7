// One pass of a decoder network over the nodes of one or several sequences.
#ifndef SPECINFER_SRC_FORWARD_DECODER_H_
#define SPECINFER_SRC_FORWARD_DECODER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/backend/backend.h"
#include "src/forward/norm.h"
#include "src/forward/sequence.h"
#include "src/model/architecture.h"
#include "src/model/weights.h"

namespace specinfer {

// The nodes of one sequence in a pass: a chain (a chunk of a prompt, plain
// decoding) or a tree.
struct SequenceNodes {
  Sequence* sequence = nullptr;          // prepared for the nodes
  absl::Span<const Token> tokens;        // in topological order, the root first
  absl::Span<const int32_t> depths;      // [tokens]; empty: a chain
  absl::Span<const uint64_t> path_bits;  // as AttentionSequence; empty: a chain
  // Nodes before it are in their slots from earlier passes since the last
  // commit; the pass computes the rest.
  int32_t first_node = 0;
};

// How much some heads of each row look at what was encoded: weights after the
// softmax over all that the sequences are bound to, of which the first
// `num_positions` are told.
struct CrossWeights {
  absl::Span<const CrossHead> heads;  // empty: not asked for
  int32_t num_positions = 0;
  // [heads, head_stride], of which a pass writes the first [rows,
  // num_positions].
  absl::Span<float> weights;
  size_t head_stride = 0;
};

// What a pass should tell. Rows count the computed nodes of all sequences in
// order.
struct ForwardAnswer {
  absl::Span<const int32_t> rows;       // whose last hidden states are kept;
                                        // HeadQuery::row indexes this list
  absl::Span<const HeadQuery> queries;  // asked of those
  absl::Span<float> hidden;  // [rows, hidden_size], normalised; may be empty
  CrossWeights cross;        // of all computed nodes
};

// A part of the network, for drafting; 0: all of it.
struct DecoderCut {
  int32_t num_layers = 0;       // the first ones, then norm and head
  int32_t num_head_tokens = 0;  // the first ones of the vocabulary
};

// Not thread-safe; owns the stream and the scratch memory of its passes.
class Decoder {
 public:
  // For passes of up to `max_rows` nodes, of which up to `max_answer_rows` are
  // asked for. The rest must outlive it.
  // Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<Decoder>> Create(
      Backend& backend, const Architecture& architecture,
      const CacheLayout& layout, const Weights& weights, int32_t max_rows,
      int32_t max_answer_rows, const DecoderCut& cut = {});
  // What Create will take.
  static uint64_t PlanBytes(const Backend& backend,
                            const Architecture& architecture, int32_t max_rows,
                            int32_t max_answer_rows);

  // Runs the pass. After DEADLINE_EXCEEDED the same call with the same
  // arguments continues it; after any other error or Abandon() it is gone.
  // Writes the nodes' keys and values into their slots; commits nothing.
  absl::Status Forward(absl::Span<const SequenceNodes> batch,
                       const ForwardAnswer& answer, const PassControl& control);
  bool is_paused() const { return is_paused_; }
  void Abandon() { is_paused_ = false; }

  // Asks more of the rows of the last complete pass.
  absl::Status Ask(absl::Span<const HeadQuery> queries,
                   const PassControl& control);

  Stream& stream() { return *stream_; }
  int32_t max_rows() const { return max_rows_; }

 private:
  Decoder(const Architecture& architecture, const CacheLayout& layout,
          const Weights& weights, int32_t max_rows, const DecoderCut& cut);
  absl::Status Allocate(Backend& backend, int32_t max_answer_rows);
  void PlanRows(absl::Span<const SequenceNodes> batch);
  absl::Status RunPass(const ForwardAnswer& answer);
  absl::Status Norm(const Tensor& in, const NormWeights& weights,
                    const Tensor& out) {
    return Normalize(architecture_, in, weights, out, *stream_);
  }
  absl::Status Attention(size_t layer);
  absl::Status CrossAttention(size_t layer, const CrossWeights& asked);
  absl::Status TellCrossWeights(size_t layer, const CrossWeights& asked);
  absl::Status FeedForward(size_t layer);
  absl::Status Head(absl::Span<const HeadQuery> queries);

  const Architecture& architecture_;
  const CacheLayout& layout_;
  const Weights& weights_;
  const int32_t max_rows_;
  const size_t num_layers_;
  const int32_t num_head_tokens_;  // 0: all
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Buffer> scratch_;
  bool is_paused_ = false;

  // This pass.
  int32_t num_rows_ = 0;
  int32_t num_answer_rows_ = 0;  // of the last pass that asked for any
  std::vector<Token> tokens_;
  std::vector<std::vector<float>>
      cos_sin_;  // per rope: [rows, rotary_dims / 2, 2]
  std::vector<std::vector<AttentionSequence>> sequences_;  // per cache group
  std::vector<int32_t> positions_;           // of each row, where learnt
  std::vector<AttentionSequence> memories_;  // what the sequences are bound to
  const CacheLayout* memory_layout_ = nullptr;  // of all of them

  // Scratch, sized for max_rows; a pass uses the first num_rows_ rows.
  Tensor residual_, normed_, query_, key_, value_, attended_, gate_, up_,
      answer_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_FORWARD_DECODER_H_
