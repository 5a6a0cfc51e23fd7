#include "src/forward/decoder.h"

#include <algorithm>
#include <array>
#include <utility>

#include "src/base/scalar_math.h"
#include "src/base/status_macros.h"

namespace specinfer {
namespace {

constexpr size_t kAlignment = 64;

size_t TensorBytes(int64_t rows, int64_t columns) {
  return (static_cast<size_t>(rows * columns) * sizeof(float) + kAlignment -
          1) /
         kAlignment * kAlignment;
}

// Widths of the scratch tensors, in the order Allocate cuts them.
std::array<int64_t, 8> ScratchWidths(const Architecture& a) {
  const int64_t attention = int64_t{a.heads} * a.head_dim;
  const int64_t kv = int64_t{a.kv_heads} * a.head_dim;
  return {a.hidden_size,
          a.hidden_size,
          attention,
          kv,
          kv,
          attention,
          a.has_gate ? a.feed_forward_size : 0,
          a.feed_forward_size};
}

uint64_t ScratchBytes(const Architecture& architecture, int32_t max_rows,
                      int32_t max_answer_rows) {
  uint64_t num_bytes = TensorBytes(max_answer_rows, architecture.hidden_size);
  for (const int64_t width : ScratchWidths(architecture))
    num_bytes += TensorBytes(max_rows, width);
  return num_bytes;
}

StreamLimits Limits(const Architecture& a, int32_t max_rows,
                    int32_t max_answer_rows) {
  return {
      .max_rows = std::max(max_rows, max_answer_rows),
      .max_inputs =
          std::max({a.hidden_size, a.feed_forward_size, a.heads * a.head_dim}),
      .max_vocabulary = a.vocabulary_size,
      .max_heads = a.heads,
      .max_head_dim = a.head_dim,
  };
}

}  // namespace

Decoder::Decoder(const Architecture& architecture, const CacheLayout& layout,
                 const Weights& weights, int32_t max_rows,
                 const DecoderCut& cut)
    : architecture_(architecture),
      layout_(layout),
      weights_(weights),
      max_rows_(max_rows),
      num_layers_(cut.num_layers > 0
                      ? std::min(static_cast<size_t>(cut.num_layers),
                                 weights.layers.size())
                      : weights.layers.size()),
      num_head_tokens_(cut.num_head_tokens) {}

uint64_t Decoder::PlanBytes(const Backend& backend,
                            const Architecture& architecture, int32_t max_rows,
                            int32_t max_answer_rows) {
  return backend.StreamBytes(Limits(architecture, max_rows, max_answer_rows)) +
         ScratchBytes(architecture, max_rows, max_answer_rows);
}

absl::StatusOr<std::unique_ptr<Decoder>> Decoder::Create(
    Backend& backend, const Architecture& architecture,
    const CacheLayout& layout, const Weights& weights, int32_t max_rows,
    int32_t max_answer_rows, const DecoderCut& cut) {
  std::unique_ptr<Decoder> decoder(
      new Decoder(architecture, layout, weights, max_rows, cut));
  SPECINFER_RETURN_IF_ERROR(decoder->Allocate(backend, max_answer_rows));
  return decoder;
}

absl::Status Decoder::Allocate(Backend& backend, int32_t max_answer_rows) {
  const Architecture& a = architecture_;
  SPECINFER_ASSIGN_OR_RETURN(
      stream_, backend.CreateStream(Limits(a, max_rows_, max_answer_rows)));
  SPECINFER_ASSIGN_OR_RETURN(
      scratch_, backend.Allocate(ScratchBytes(a, max_rows_, max_answer_rows),
                                 "pass scratch"));
  const std::array<Tensor*, 8> tensors = {
      &residual_, &normed_, &query_, &key_, &value_, &attended_, &gate_, &up_};
  const std::array<int64_t, 8> widths = ScratchWidths(a);
  size_t offset = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    *tensors[i] = {scratch_.get(), offset, max_rows_, widths[i]};
    offset += TensorBytes(max_rows_, widths[i]);
  }
  answer_ = {scratch_.get(), offset, max_answer_rows, a.hidden_size};

  const size_t rows = static_cast<size_t>(max_rows_);
  tokens_.reserve(rows);
  cos_sin_.resize(a.ropes.size());
  for (std::vector<float>& table : cos_sin_)
    table.resize(rows * static_cast<size_t>(a.rotary_dims));
  sequences_.resize(layout_.groups.size());
  for (std::vector<AttentionSequence>& group : sequences_) group.reserve(rows);
  if (a.has_learned_positions) positions_.reserve(rows);
  if (a.has_encoder()) memories_.reserve(rows);
  return absl::OkStatus();
}

void Decoder::PlanRows(absl::Span<const SequenceNodes> batch) {
  tokens_.clear();
  positions_.clear();
  memories_.clear();
  for (std::vector<AttentionSequence>& group : sequences_) group.clear();
  for (const SequenceNodes& nodes : batch) {
    const int32_t first_row = static_cast<int32_t>(tokens_.size());
    const int32_t num_nodes = static_cast<int32_t>(nodes.tokens.size());
    const int32_t num_committed = nodes.sequence->num_committed();
    tokens_.insert(tokens_.end(), nodes.tokens.begin() + nodes.first_node,
                   nodes.tokens.end());
    for (int32_t node = nodes.first_node; node < num_nodes; ++node) {
      const int32_t depth =
          nodes.depths.empty() ? node : nodes.depths[static_cast<size_t>(node)];
      if (architecture_.has_learned_positions)
        positions_.push_back(num_committed + depth);
      const size_t row =
          static_cast<size_t>(first_row + node - nodes.first_node);
      for (size_t r = 0; r < cos_sin_.size(); ++r) {
        const Rope& rope = architecture_.ropes[r];
        float* out = cos_sin_[r].data() + row * rope.frequencies.size() * 2;
        for (const double frequency : rope.frequencies) {
          const SinCos turn =
              ComputeSinCos((num_committed + depth) * frequency);
          *out++ = turn.cos * rope.magnitude;
          *out++ = turn.sin * rope.magnitude;
        }
      }
    }
    for (size_t g = 0; g < sequences_.size(); ++g) {
      sequences_[g].push_back({
          .pages = nodes.sequence->pages(static_cast<int32_t>(g)),
          .num_committed = num_committed,
          .num_nodes = num_nodes,
          .first_node = nodes.first_node,
          .first_row = first_row,
          .depths = nodes.depths,
          .path_bits = nodes.path_bits,
      });
    }
    if (architecture_.has_encoder()) {
      const Sequence& memory = *nodes.sequence->memory();
      memory_layout_ = &memory.layout();
      memories_.push_back({.pages = memory.pages(0),
                           .num_committed = memory.num_committed(),
                           .num_nodes = num_nodes,
                           .first_node = nodes.first_node,
                           .first_row = first_row});
    }
  }
  num_rows_ = static_cast<int32_t>(tokens_.size());
}

absl::Status Decoder::Forward(absl::Span<const SequenceNodes> batch,
                              const ForwardAnswer& answer,
                              const PassControl& control) {
  if (!is_paused_) PlanRows(batch);
  stream_->Begin(control, /*resume=*/is_paused_);
  const absl::Status status = RunPass(answer);
  is_paused_ = absl::IsDeadlineExceeded(status);
  return status;
}

absl::Status Decoder::RunPass(const ForwardAnswer& answer) {
  const Tensor residual = residual_.Rows(0, num_rows_);
  SPECINFER_RETURN_IF_ERROR(
      stream_->Embed({.table = weights_.embedding.weight.get(),
                      .tokens = tokens_,
                      .multiplier = architecture_.embedding_multiplier,
                      .out = residual}));
  if (architecture_.has_learned_positions) {
    const Tensor positions = normed_.Rows(0, num_rows_);
    SPECINFER_RETURN_IF_ERROR(stream_->GatherRows(
        {.in = weights_.positions, .rows = positions_, .out = positions}));
    SPECINFER_RETURN_IF_ERROR(
        stream_->Add({.sum = residual, .addend = positions}));
  }
  for (size_t layer = 0; layer < num_layers_; ++layer) {
    SPECINFER_RETURN_IF_ERROR(Attention(layer));
    const bool is_last = layer + 1 == num_layers_;
    if (is_last && answer.rows.empty() && answer.cross.heads.empty())
      break;  // a prompt's chunk is here for its keys and values alone
    if (architecture_.has_encoder())
      SPECINFER_RETURN_IF_ERROR(CrossAttention(layer, answer.cross));
    SPECINFER_RETURN_IF_ERROR(FeedForward(layer));
  }
  if (answer.rows.empty()) return stream_->Wait();
  num_answer_rows_ = static_cast<int32_t>(answer.rows.size());
  const Tensor kept = answer_.Rows(0, num_answer_rows_);
  SPECINFER_RETURN_IF_ERROR(
      stream_->GatherRows({.in = residual, .rows = answer.rows, .out = kept}));
  SPECINFER_RETURN_IF_ERROR(Norm(kept, weights_.output_norm, kept));
  if (!answer.hidden.empty())
    SPECINFER_RETURN_IF_ERROR(stream_->CopyOut(kept, answer.hidden));
  if (!answer.queries.empty()) SPECINFER_RETURN_IF_ERROR(Head(answer.queries));
  return stream_->Wait();
}

absl::Status Decoder::Attention(size_t layer) {
  const Architecture& a = architecture_;
  const LayerWeights& w = weights_.layers[layer];
  const Tensor residual = residual_.Rows(0, num_rows_);
  const Tensor normed = normed_.Rows(0, num_rows_);
  const Tensor query = query_.Rows(0, num_rows_);
  const Tensor key = key_.Rows(0, num_rows_);
  const Tensor value = value_.Rows(0, num_rows_);
  const Tensor attended = attended_.Rows(0, num_rows_);
  const size_t group = static_cast<size_t>(layout_.group_of_layer[layer]);

  SPECINFER_RETURN_IF_ERROR(Norm(residual, w.attention_norm, normed));
  const std::array<LinearOutput, 3> outputs = {
      {{w.query.weight.get(), w.query.bias, query},
       {w.key.weight.get(), w.key.bias, key},
       {w.value.weight.get(), w.value.bias, value}}};
  SPECINFER_RETURN_IF_ERROR(
      stream_->Linear({.in = normed, .outputs = outputs}));
  if (a.has_head_norms) {
    const Tensor query_heads = query.Reshaped(a.head_dim);
    const Tensor key_heads = key.Reshaped(a.head_dim);
    SPECINFER_RETURN_IF_ERROR(stream_->RmsNorm({.in = query_heads,
                                                .weight = w.query_norm,
                                                .epsilon = a.norm_epsilon,
                                                .out = query_heads}));
    SPECINFER_RETURN_IF_ERROR(stream_->RmsNorm({.in = key_heads,
                                                .weight = w.key_norm,
                                                .epsilon = a.norm_epsilon,
                                                .out = key_heads}));
  }
  SPECINFER_RETURN_IF_ERROR(stream_->RopeAndStore(
      {.query = query,
       .key = key,
       .value = value,
       .cos_sin = cos_sin_[static_cast<size_t>(a.layers[layer].rope)],
       .rotary_dims = a.rotary_dims,
       .pairing = a.rope_pairing,
       .heads = a.heads,
       .kv_heads = a.kv_heads,
       .head_dim = a.head_dim,
       .sequences = sequences_[group],
       .cache_type = layout_.cache_type,
       .layer_offset = layout_.layer_offset[layer]}));
  SPECINFER_RETURN_IF_ERROR(
      stream_->TreeAttention({.query = query,
                              .sequences = sequences_[group],
                              .cache_type = layout_.cache_type,
                              .layer_offset = layout_.layer_offset[layer],
                              .heads = a.heads,
                              .kv_heads = a.kv_heads,
                              .head_dim = a.head_dim,
                              .window = a.layers[layer].window,
                              .scale = a.attention_scale,
                              .soft_cap = a.attention_soft_cap,
                              .out = attended}));
  const std::array<LinearOutput, 1> output = {
      {{w.attention_output.weight.get(), w.attention_output.bias, normed}}};
  SPECINFER_RETURN_IF_ERROR(
      stream_->Linear({.in = attended, .outputs = output}));
  if (a.has_post_norms) {
    SPECINFER_RETURN_IF_ERROR(stream_->RmsNorm({.in = normed,
                                                .weight = w.post_attention_norm,
                                                .epsilon = a.norm_epsilon,
                                                .out = normed}));
  }
  return stream_->Add({.sum = residual, .addend = normed});
}

// Its keys and values were computed when the memory was.
absl::Status Decoder::CrossAttention(size_t layer, const CrossWeights& asked) {
  const Architecture& a = architecture_;
  const LayerWeights& w = weights_.layers[layer];
  const Tensor residual = residual_.Rows(0, num_rows_);
  const Tensor normed = normed_.Rows(0, num_rows_);
  const Tensor query = query_.Rows(0, num_rows_);
  const Tensor attended = attended_.Rows(0, num_rows_);

  SPECINFER_RETURN_IF_ERROR(Norm(residual, w.cross_norm, normed));
  const std::array<LinearOutput, 1> queries = {
      {{w.cross_query.weight.get(), w.cross_query.bias, query}}};
  SPECINFER_RETURN_IF_ERROR(
      stream_->Linear({.in = normed, .outputs = queries}));
  SPECINFER_RETURN_IF_ERROR(TellCrossWeights(layer, asked));
  SPECINFER_RETURN_IF_ERROR(stream_->TreeAttention(
      {.query = query,
       .sequences = memories_,
       .cache_type = memory_layout_->cache_type,
       .layer_offset = memory_layout_->layer_offset[layer],
       .heads = a.heads,
       .kv_heads = a.kv_heads,
       .head_dim = a.head_dim,
       .scale = a.attention_scale,
       .sees_committed = true,
       .out = attended}));
  const std::array<LinearOutput, 1> output = {
      {{w.cross_output.weight.get(), w.cross_output.bias, normed}}};
  SPECINFER_RETURN_IF_ERROR(
      stream_->Linear({.in = attended, .outputs = output}));
  return stream_->Add({.sum = residual, .addend = normed});
}

// REQUIRES: query_ holds the layer's queries.
absl::Status Decoder::TellCrossWeights(size_t layer,
                                       const CrossWeights& asked) {
  for (size_t i = 0; i < asked.heads.size(); ++i) {
    if (static_cast<size_t>(asked.heads[i].layer) != layer) continue;
    SPECINFER_RETURN_IF_ERROR(stream_->AttentionWeights(
        {.query = query_.Rows(0, num_rows_),
         .sequences = memories_,
         .cache_type = memory_layout_->cache_type,
         .layer_offset = memory_layout_->layer_offset[layer],
         .heads = architecture_.heads,
         .kv_heads = architecture_.kv_heads,
         .head_dim = architecture_.head_dim,
         .head = asked.heads[i].head,
         .scale = architecture_.attention_scale,
         .num_positions = asked.num_positions,
         .out = asked.weights.subspan(
             i * asked.head_stride,
             static_cast<size_t>(num_rows_) *
                 static_cast<size_t>(asked.num_positions))}));
  }
  return absl::OkStatus();
}

absl::Status Decoder::FeedForward(size_t layer) {
  const Architecture& a = architecture_;
  const LayerWeights& w = weights_.layers[layer];
  const Tensor residual = residual_.Rows(0, num_rows_);
  const Tensor normed = normed_.Rows(0, num_rows_);
  const Tensor gate = gate_.Rows(0, num_rows_);
  const Tensor up = up_.Rows(0, num_rows_);

  SPECINFER_RETURN_IF_ERROR(Norm(residual, w.feed_forward_norm, normed));
  const std::array<LinearOutput, 2> outputs = {
      {{w.up.weight.get(), w.up.bias, up},
       {w.gate.weight.get(), w.gate.bias, gate}}};
  SPECINFER_RETURN_IF_ERROR(stream_->Linear(
      {.in = normed,
       .outputs = absl::MakeConstSpan(outputs).first(a.has_gate ? 2 : 1)}));
  SPECINFER_RETURN_IF_ERROR(
      stream_->GatedActivation({.activation = a.activation,
                                .gate = a.has_gate ? gate : up,
                                .up = a.has_gate ? up : Tensor(),
                                .out = up}));
  const std::array<LinearOutput, 1> output = {
      {{w.down.weight.get(), w.down.bias, normed}}};
  SPECINFER_RETURN_IF_ERROR(stream_->Linear({.in = up, .outputs = output}));
  if (a.has_post_norms) {
    SPECINFER_RETURN_IF_ERROR(
        stream_->RmsNorm({.in = normed,
                          .weight = w.post_feed_forward_norm,
                          .epsilon = a.norm_epsilon,
                          .out = normed}));
  }
  return stream_->Add({.sum = residual, .addend = normed});
}

absl::Status Decoder::Head(absl::Span<const HeadQuery> queries) {
  return stream_->Head({.hidden = answer_.Rows(0, num_answer_rows_),
                        .weight = &weights_.head(),
                        .multiplier = architecture_.logit_multiplier,
                        .soft_cap = architecture_.logit_soft_cap,
                        .num_tokens = num_head_tokens_,
                        .queries = queries});
}

absl::Status Decoder::Ask(absl::Span<const HeadQuery> queries,
                          const PassControl& control) {
  stream_->Begin(control, /*resume=*/false);
  SPECINFER_RETURN_IF_ERROR(Head(queries));
  return stream_->Wait();
}

}  // namespace specinfer
