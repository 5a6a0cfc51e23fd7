#include "src/session/generator.h"

#include <algorithm>

#include "src/base/clock.h"
#include "src/base/float_control.h"
#include "src/base/status_macros.h"

namespace specinfer {
namespace {

absl::Status NoTokenError() {
  return absl::FailedPreconditionError(
      "no token can be chosen here: every token is banned, or the model's "
      "logits are not numbers");
}

}  // namespace

Lane::Lane(int32_t max_nodes)
    : proposal(max_nodes), slots(static_cast<size_t>(max_nodes)) {
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
  generator->queries_.reserve(
      static_cast<size_t>(max_rows * TokenChooser::kMaxQuestions));
  generator->path_.reserve(static_cast<size_t>(max_rows));
  return generator;
}

absl::StatusOr<int32_t> Generator::Prefill(Sequence& sequence,
                                           absl::Span<const Token> text,
                                           int32_t max_tokens,
                                           const PassControl& control) {
  const int32_t num_left =
      static_cast<int32_t>(text.size()) - 1 - sequence.num_committed();
  const int32_t num_nodes = std::min(num_left, max_tokens);
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
  const ScopedTurn turn(control.turn);
  SPECINFER_RETURN_IF_ERROR(
      sequence.Prepare(static_cast<int32_t>(nodes.size())));
  const SequenceNodes chain = {.sequence = &sequence, .tokens = nodes};
  return decoder_->Forward({&chain, 1}, answer, control);
}

absl::Status Generator::Round(absl::Span<Lane* const> lanes,
                              const PassControl& control) {
  const ScopedFloatControl float_control;
  const ScopedTurn turn(control.turn);
  if (!decoder_->is_paused()) {
    SPECINFER_RETURN_IF_ERROR(Draft(lanes, control));
    SPECINFER_RETURN_IF_ERROR(PreparePass(lanes));
  }
  SPECINFER_RETURN_IF_ERROR(Forward(lanes, control));
  SPECINFER_RETURN_IF_ERROR(Verify(lanes, control));
  SPECINFER_RETURN_IF_ERROR(Commit(lanes));
  Accept(lanes);
  return absl::OkStatus();
}

absl::Status Generator::Draft(absl::Span<Lane* const> lanes,
                              const PassControl& control) {
  while (num_drafted_ < lanes.size()) {
    const absl::Status status = DraftLane(*lanes[num_drafted_], control);
    if (!status.ok()) {
      if (!absl::IsDeadlineExceeded(status)) num_drafted_ = 0;
      return status;
    }
    ++num_drafted_;
  }
  num_drafted_ = 0;
  return absl::OkStatus();
}

absl::Status Generator::DraftLane(Lane& lane, const PassControl& control) {
  const int64_t start_us = control.WorkMicros();
  if (!lane.is_drafting) {
    lane.times = {.start_us = NowMicros()};
    lane.is_drafting = true;
  }
  absl::Status status;
  if (lane.speculation == nullptr) {
    lane.proposal.Begin(lane.text.back());
  } else {
    status = lane.speculation->Draft(lane.text, lane.sequence->num_committed(),
                                     lane.max_depth, lane.num_tokens_left,
                                     control, &lane.proposal);
  }
  lane.times.draft_us += control.WorkMicros() - start_us;
  if (!absl::IsDeadlineExceeded(status)) lane.is_drafting = false;
  return status;
}

absl::Status Generator::PreparePass(absl::Span<Lane* const> lanes) {
  batch_.clear();
  rows_.clear();
  queries_.clear();
  for (Lane* lane : lanes) {
    SPECINFER_RETURN_IF_ERROR(PrepareTree(*lane));
    const TokenTree& tree = lane->proposal.tree();
    AskOfLane(*lane);
    batch_.push_back({.sequence = lane->sequence,
                      .tokens = tree.tokens(),
                      .depths = tree.is_chain() ? absl::Span<const int32_t>()
                                                : tree.depths(),
                      .path_bits = lane->proposal.PathBits()});
  }
  return absl::OkStatus();
}

// Where memory lacks for the tree, the round is one of plain decoding.
absl::Status Generator::PrepareTree(Lane& lane) {
  const absl::Status status =
      lane.sequence->Prepare(lane.proposal.tree().size());
  if (!absl::IsResourceExhausted(status) || lane.speculation == nullptr)
    return status;
  lane.speculation->GiveBackMemory(status, lane.text.size());
  lane.proposal.Begin(lane.text.back());
  return lane.sequence->Prepare(1);
}

// What the target would choose at each node, or with which law, the path to it
// being its text.
void Generator::AskOfLane(Lane& lane) {
  const TokenTree& tree = lane.proposal.tree();
  for (int32_t node = 0; node < tree.size(); ++node) {
    const int32_t row = static_cast<int32_t>(rows_.size());
    const int64_t position =
        static_cast<int64_t>(lane.text.size()) + tree.depth(node);
    tree.GetPath(node, &path_);
    const absl::Span<const Token> banned =
        node == 0 ? lane.banned : absl::Span<const Token>();
    rows_.push_back(row);
    if (lane.chooser != nullptr) {
      lane.chooser->Ask(
          {.index = node, .row = row, .position = position, .path = path_},
          &queries_);
      continue;
    }
    SampleSlot* const slot = &lane.slots[static_cast<size_t>(node)];
    queries_.push_back(
        lane.proposal.is_sampled()
            ? lane.sampler->AskLaw(row, position, lane.text, path_, banned,
                                   lane.proposal.TargetRow(node), slot)
            : lane.sampler->Ask(row, position, lane.text, path_, banned, slot));
  }
}

absl::Status Generator::Forward(absl::Span<Lane* const> lanes,
                                const PassControl& control) {
  const int64_t start_us = control.WorkMicros();
  const absl::Status status =
      decoder_->Forward(batch_, {.rows = rows_, .queries = queries_}, control);
  const int64_t duration_us = control.WorkMicros() - start_us;
  for (Lane* lane : lanes) lane->times.forward_us += duration_us;
  if (status.ok() && lanes.size() == 1) {
    model_.pass_times().Record(
        static_cast<int32_t>(rows_.size()), lanes[0]->sequence->num_committed(),
        static_cast<double>(lanes[0]->times.forward_us) * 1e-6);
  }
  return status;
}

absl::Status Generator::Verify(absl::Span<Lane* const> lanes,
                               const PassControl& control) {
  int32_t first_row = 0;
  for (Lane* lane : lanes) {
    const int64_t start_us = NowMicros();
    SPECINFER_RETURN_IF_ERROR(VerifyLane(*lane, first_row, control));
    lane->times.verify_us = NowMicros() - start_us;
    first_row += lane->proposal.tree().size();
  }
  return absl::OkStatus();
}

absl::Status Generator::VerifyLane(Lane& lane, int32_t first_row,
                                   const PassControl& control) {
  return lane.proposal.Verify(
      [&](int32_t node) {
        return Choose(lane, node, first_row + node, control);
      },
      [&](int32_t node) {
        return MakeLaw(lane, node, first_row + node, control);
      },
      &lane.walk);
}

absl::StatusOr<Token> Generator::Choose(Lane& lane, int32_t node, int32_t row,
                                        const PassControl& control) {
  if (lane.chooser != nullptr) {
    const Token chosen = lane.chooser->Choose(node);
    if (chosen < 0) return NoTokenError();
    return chosen;
  }
  SampleSlot& slot = lane.slots[static_cast<size_t>(node)];
  Token token = lane.sampler->Choose(slot);
  if (token == Sampler::kNeedsFullRow) {
    const HeadQuery query = lane.sampler->AskFull(
        row, model_.architecture().vocabulary_size, &slot);
    // Short and rare: a deadline may pass meanwhile, and nobody's turn is
    // waited for; a cancel is heard.
    SPECINFER_RETURN_IF_ERROR(
        decoder_->Ask({&query, 1}, {.is_cancelled = control.is_cancelled}));
    token = lane.sampler->ChooseFull(&slot);
  }
  if (token < 0) return NoTokenError();
  return token;
}

absl::StatusOr<absl::Span<const float>> Generator::MakeLaw(
    Lane& lane, int32_t node, int32_t row, const PassControl& control) {
  SampleSlot& slot = lane.slots[static_cast<size_t>(node)];
  const absl::Span<float> law = lane.proposal.TargetRow(node);
  Sampler::LawState state = lane.sampler->MakeLaw(slot, law);
  if (state == Sampler::LawState::kNeedsFullRow) {
    const HeadQuery query = lane.sampler->AskFullLaw(row, law, &slot);
    SPECINFER_RETURN_IF_ERROR(
        decoder_->Ask({&query, 1}, {.is_cancelled = control.is_cancelled}));
    state = lane.sampler->MakeFullLaw(slot, law);
  }
  if (state == Sampler::LawState::kEmpty) return NoTokenError();
  return law;
}

absl::Status Generator::Commit(absl::Span<Lane* const> lanes) {
  for (Lane* lane : lanes) {
    const int64_t start_us = NowMicros();
    SPECINFER_RETURN_IF_ERROR(
        lane->sequence->Commit(lane->walk.path, decoder_->stream()));
    lane->times.commit_us = NowMicros() - start_us;
  }
  return absl::OkStatus();
}

void Generator::Accept(absl::Span<Lane* const> lanes) {
  for (Lane* lane : lanes) {
    if (lane->speculation != nullptr)
      lane->speculation->Accept(lane->text, lane->proposal.tree(), lane->walk,
                                lane->times);
  }
}

}  // namespace specinfer
