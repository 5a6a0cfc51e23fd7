#include "src/speech/sound_drafter.h"

#include <algorithm>
#include <cstring>

#include "src/base/status_macros.h"

namespace specinfer {
namespace {

// Products of linear layers and of attention.
double EncoderWork(const Architecture& architecture) {
  const double width = architecture.hidden_size;
  const double inner = architecture.encoder.feed_forward_size;
  const double positions = architecture.encoder.max_positions;
  return architecture.encoder.num_layers * positions * width *
         (4.0 * width + 2.0 * inner + 2.0 * positions);
}

bool SharesTokens(const Model& draft, const Model& model,
                  const SpeechTokens& tokens) {
  const absl::StatusOr<SpeechTokens> drafts = SpeechTokens::Create(
      draft.tokenizer(), draft.architecture().vocabulary_size);
  if (!drafts.ok() || drafts->vocabulary_size() != tokens.vocabulary_size() ||
      drafts->end_of_text() != tokens.end_of_text())
    return false;
  // Some files lack the texts of timestamps, so these do not count.
  for (Token token = 0; token < tokens.end_of_text(); ++token) {
    if (draft.tokenizer().TokenBytes(token, /*show_special=*/true) !=
        model.tokenizer().TokenBytes(token, /*show_special=*/true))
      return false;
  }
  return true;
}

absl::Status CheckPair(const Model& draft, const Model& model,
                       const SpeechTokens& tokens) {
  const Architecture& small = draft.architecture();
  const Architecture& large = model.architecture();
  const auto refuse = [&](std::string_view why) {
    return absl::FailedPreconditionError(ModelMessage(
        draft.file().path(), "cannot draft for another model: ", why));
  };
  if (!small.has_encoder())
    return refuse("it is no model of speech; choose a smaller Whisper");
  if (&draft.engine() != &model.engine())
    return refuse("it belongs to another engine; load both with one");
  if (!SharesTokens(draft, model, tokens)) {
    return refuse(
        "its tokens are others; a model of English alone and one of many "
        "languages do not go together");
  }
  if (small.encoder.mel_bins != large.encoder.mel_bins ||
      small.encoder.max_positions != large.encoder.max_positions)
    return refuse("it hears another spectrogram");
  if (small.max_context < large.max_context)
    return refuse("its texts are shorter");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SoundDrafter>> SoundDrafter::Create(
    std::shared_ptr<const Model> draft, const Model& model,
    const SpeechTokens& tokens, int32_t max_nodes) {
  SPECINFER_RETURN_IF_ERROR(CheckPair(*draft, model, tokens));
  const double work_ratio =
      EncoderWork(draft->architecture()) / EncoderWork(model.architecture());
  std::unique_ptr<SoundDrafter> drafter(
      new SoundDrafter(std::move(draft), work_ratio));
  SPECINFER_RETURN_IF_ERROR(drafter->Allocate(tokens, max_nodes));
  return drafter;
}

absl::Status SoundDrafter::Allocate(const SpeechTokens& tokens,
                                    int32_t max_nodes) {
  const Architecture& architecture = draft_->architecture();
  Backend& backend = *draft_->engine().backend;
  SPECINFER_ASSIGN_OR_RETURN(
      encoder_, Encoder::Create(backend, architecture, draft_->weights(),
                                /*max_windows=*/1, CacheType::kQ8));
  SPECINFER_ASSIGN_OR_RETURN(
      memory_, Sequence::Create(backend, draft_->cache_layout(CacheType::kQ8),
                                architecture.encoder.max_positions,
                                architecture.encoder.max_positions));
  SPECINFER_ASSIGN_OR_RETURN(
      frames_, draft_->engine().memory->Allocate(
                   static_cast<size_t>(encoder_->max_frames()) *
                       static_cast<size_t>(architecture.encoder.mel_bins) *
                       sizeof(float),
                   "frames of a draft model"));
  const size_t vocabulary_size = static_cast<size_t>(tokens.vocabulary_size());
  proposable_.resize((vocabulary_size + 63) / 64);
  for (Token token = 0; token < tokens.vocabulary_size(); ++token) {
    if (tokens.IsText(token) || tokens.IsTimestamp(token) ||
        token == tokens.end_of_text()) {
      proposable_[static_cast<size_t>(token) / 64] |= uint64_t{1}
                                                      << (token % 64);
    }
  }
  const DraftNetwork network = {.backend = &backend,
                                .architecture = &architecture,
                                .layout = &draft_->cache_layout(),
                                .weights = &draft_->weights(),
                                .proposable = proposable_,
                                .cut = {},  // timestamps are its last tokens
                                .times = &draft_->draft_times()};
  // A text is read from its beginning: where it stands tells the network what
  // was said.
  SPECINFER_ASSIGN_OR_RETURN(
      drafter_,
      ModelDrafter::Create(network,
                           {.max_nodes = max_nodes,
                            .max_context_tokens = 2 * architecture.max_context,
                            .read_back_tokens = architecture.max_context,
                            .memory = memory_}));
  return absl::OkStatus();
}

void SoundDrafter::BeginWindow(absl::Span<const float> mel,
                               double target_seconds) {
  Rollback(0);
  num_values_ = std::min(mel.size(), frames_.size() / sizeof(float));
  std::memcpy(frames_.data(), mel.data(), num_values_ * sizeof(float));
  has_heard_ = false;
  predicted_seconds_ = measured_seconds_ > 0.0 ? measured_seconds_
                                               : target_seconds * work_ratio_;
}

double SoundDrafter::PredictJoining(size_t num_tokens) const {
  return (has_heard_ ? 0.0 : predicted_seconds_) +
         drafter_->PredictJoining(num_tokens);
}

absl::Status SoundDrafter::Draft(const DraftRequest& request, TokenTree* tree) {
  if (!has_heard_) SPECINFER_RETURN_IF_ERROR(Hear(request.control));
  return drafter_->Draft(request, tree);
}

absl::Status SoundDrafter::Hear(const PassControl& control) {
  const int64_t start_us = control.WorkMicros();
  const EncoderWindow window = {
      .mel = {reinterpret_cast<const float*>(frames_.data()), num_values_},
      .memory = memory_.get()};
  const absl::Status status = encoder_->Encode({&window, 1}, control);
  encoding_seconds_ +=
      static_cast<double>(control.WorkMicros() - start_us) * 1e-6;
  SPECINFER_RETURN_IF_ERROR(status);
  has_heard_ = true;
  measured_seconds_ = encoding_seconds_;
  return absl::OkStatus();
}

void SoundDrafter::Rollback(size_t num_tokens) {
  encoder_->Abandon();
  encoding_seconds_ = 0.0;
  drafter_->Rollback(num_tokens);
}

absl::StatusOr<std::unique_ptr<Drafter>> SoundDrafter::Fork() {
  return absl::UnimplementedError("a window's drafter is not forked");
}

}  // namespace specinfer
