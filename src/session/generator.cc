#include "src/session/generator.h"

#include <algorithm>

#include "src/base/float_control.h"
#include "src/base/status_macros.h"

namespace specinfer {

Lane::Lane(int32_t max_nodes)
    : tree(max_nodes), slots(static_cast<size_t>(max_nodes)) {
  walk.Reserve(max_nodes);
}

absl::StatusOr<std::unique_ptr<Generator>> Generator::Create(
    const Model& model, int32_t max_rows, CacheType cache_type) {
  std::unique_ptr<Generator> generator(new Generator(model));
  SPECINFER_ASSIGN_OR_RETURN(
      generator->decoder_,
      Decoder::Create(*model.engine().backend, model.architecture(),
                      model.cache_layout(cache_type), model.weights(), max_rows,
                      /*max_answer_rows=*/max_rows));
  generator->batch_.reserve(static_cast<size_t>(max_rows));
  generator->rows_.reserve(static_cast<size_t>(max_rows));
  generator->queries_.reserve(static_cast<size_t>(max_rows));
  return generator;
}

absl::StatusOr<int32_t> Generator::Prefill(Sequence& sequence,
                                           absl::Span<const Token> text,
                                           const PassControl& control) {
  const int32_t num_left =
      static_cast<int32_t>(text.size()) - 1 - sequence.num_committed();
  const int32_t num_nodes = std::min(num_left, max_rows());
  if (num_nodes <= 0) return 0;
  const absl::Span<const Token> nodes =
      text.subspan(static_cast<size_t>(sequence.num_committed()),
                   static_cast<size_t>(num_nodes));
  SPECINFER_RETURN_IF_ERROR(Forward(sequence, nodes, {}, control));
  return num_nodes;
}

absl::Status Generator::Forward(Sequence& sequence,
                                absl::Span<const Token> nodes,
                                const ForwardAnswer& answer,
                                const PassControl& control) {
  SPECINFER_RETURN_IF_ERROR(
      ForwardUncommitted(sequence, nodes, answer, control));
  sequence.CommitChain(static_cast<int32_t>(nodes.size()));
  return absl::OkStatus();
}

absl::Status Generator::ForwardUncommitted(Sequence& sequence,
                                           absl::Span<const Token> nodes,
                                           const ForwardAnswer& answer,
                                           const PassControl& control) {
  const ScopedFloatControl float_control;
  SPECINFER_RETURN_IF_ERROR(
      sequence.Prepare(static_cast<int32_t>(nodes.size())));
  const SequenceNodes chain = {.sequence = &sequence, .tokens = nodes};
  return decoder_->Forward({&chain, 1}, answer, control);
}

absl::Status Generator::Round(absl::Span<Lane* const> lanes,
                              const PassControl& control) {
  const ScopedFloatControl float_control;
  if (!decoder_->is_paused()) SPECINFER_RETURN_IF_ERROR(Draft(lanes));
  SPECINFER_RETURN_IF_ERROR(
      decoder_->Forward(batch_, {.rows = rows_, .queries = queries_}, control));
  int32_t first_row = 0;
  for (Lane* lane : lanes) {
    SPECINFER_RETURN_IF_ERROR(Verify(*lane, first_row, control));
    first_row += lane->tree.size();
  }
  for (Lane* lane : lanes)
    SPECINFER_RETURN_IF_ERROR(
        lane->sequence->Commit(lane->walk.path, decoder_->stream()));
  return absl::OkStatus();
}

// Plain decoding: the root is the whole tree.
absl::Status Generator::Draft(absl::Span<Lane* const> lanes) {
  batch_.clear();
  rows_.clear();
  queries_.clear();
  for (Lane* lane : lanes) {
    lane->tree.Reset(lane->text.back());
    SPECINFER_RETURN_IF_ERROR(lane->sequence->Prepare(lane->tree.size()));
    for (int32_t node = 0; node < lane->tree.size(); ++node) {
      const int32_t row = static_cast<int32_t>(rows_.size());
      const int64_t position =
          static_cast<int64_t>(lane->text.size()) + lane->tree.depth(node);
      queries_.push_back(lane->sampler->Ask(
          row, position, lane->text, /*path=*/{}, lane->banned,
          &lane->slots[static_cast<size_t>(node)]));
      rows_.push_back(row);
    }
    batch_.push_back({.sequence = lane->sequence,
                      .tokens = lane->tree.tokens(),
                      .depths = lane->tree.is_chain()
                                    ? absl::Span<const int32_t>()
                                    : lane->tree.depths(),
                      .path_bits = lane->tree.PathBits()});
  }
  return absl::OkStatus();
}

absl::Status Generator::Verify(Lane& lane, int32_t first_row,
                               const PassControl& control) {
  const auto choose = [&](int32_t node) -> absl::StatusOr<Token> {
    SampleSlot& slot = lane.slots[static_cast<size_t>(node)];
    Token token = lane.sampler->Choose(slot);
    if (token == Sampler::kNeedsFullRow) {
      const HeadQuery query = lane.sampler->AskFull(
          first_row + node, model_.architecture().vocabulary_size, &slot);
      // Short and rare: a deadline may pass meanwhile, a cancel is heard.
      SPECINFER_RETURN_IF_ERROR(
          decoder_->Ask({&query, 1}, {.is_cancelled = control.is_cancelled}));
      token = lane.sampler->ChooseFull(&slot);
    }
    if (token < 0) {
      return absl::FailedPreconditionError(
          "no token can be chosen here: every token is banned, or the model's "
          "logits are not numbers");
    }
    return token;
  };
  return MatchVerify(lane.tree, choose, &lane.walk);
}

}  // namespace specinfer
