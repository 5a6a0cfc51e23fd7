#include "src/speech/speech_drafters.h"

#include <utility>

#include "src/base/status_macros.h"
#include "src/speculate/model_drafter.h"
#include "src/speculate/ngram_drafter.h"

namespace specinfer {
namespace {

// An hour of speech and more.
constexpr int32_t kLearntTokens = 16384;

}  // namespace

absl::StatusOr<std::unique_ptr<SpeechDrafters>> SpeechDrafters::Create(
    const Model& model, const SpeechTokens& tokens,
    std::shared_ptr<const Model> draft,
    const std::unique_ptr<Sequence>& sequence, int32_t max_nodes) {
  std::unique_ptr<SpeechDrafters> drafters(
      new SpeechDrafters(model, sequence, max_nodes));
  drafters->speculation_ = std::make_unique<Speculation>(
      PlannerOptions{.max_nodes = max_nodes, .has_model = draft != nullptr},
      &model.pass_times());
  SPECINFER_RETURN_IF_ERROR(drafters->AddFree());
  if (draft == nullptr) return drafters;
  SPECINFER_ASSIGN_OR_RETURN(
      std::unique_ptr<SoundDrafter> sound_drafter,
      SoundDrafter::Create(std::move(draft), model, tokens, max_nodes));
  drafters->sound_drafter_ = sound_drafter.get();
  drafters->speculation_->AddDrafter(std::move(sound_drafter),
                                     DrafterKind::kModel);
  return drafters;
}

absl::Status SpeechDrafters::AddFree() {
  const Architecture& architecture = model_.architecture();
  Memory& memory = *model_.engine().memory;
  auto expected =
      std::make_unique<ExpectedDrafter>(memory, architecture.vocabulary_size);
  expected_drafter_ = expected.get();
  speculation_->AddDrafter(std::move(expected), DrafterKind::kFree);
  SPECINFER_ASSIGN_OR_RETURN(
      corpus_, Corpus::Create(
                   memory, {.max_tokens = kLearntTokens,
                            .vocabulary_size = architecture.vocabulary_size}));
  SPECINFER_ASSIGN_OR_RETURN(
      std::unique_ptr<NgramDrafter> ngram,
      NgramDrafter::Create(memory, architecture.max_context, corpus_));
  speculation_->AddDrafter(std::move(ngram), DrafterKind::kFree);
  return absl::OkStatus();
}

absl::Status SpeechDrafters::AddEarlyExit() {
  if (has_early_exit_) return absl::OkStatus();
  const DraftNetwork network = {.backend = model_.engine().backend.get(),
                                .architecture = &model_.architecture(),
                                .layout = &model_.cache_layout(),
                                .weights = &model_.weights(),
                                .proposable = model_.samplable_tokens(),
                                .cut = model_.early_exit_cut(),
                                .times = &model_.early_exit_times()};
  SPECINFER_ASSIGN_OR_RETURN(
      std::unique_ptr<Drafter> drafter,
      ModelDrafter::Create(network, {.name = "early-exit",
                                     .max_nodes = max_nodes_,
                                     .shared_sequence = &sequence_}));
  speculation_->AddDrafter(std::move(drafter), DrafterKind::kEarlyExit);
  has_early_exit_ = true;
  return absl::OkStatus();
}

absl::Status SpeechDrafters::BeginText(absl::Span<const Token> expected,
                                       Strategy strategy) {
  if (strategy == Strategy::kEarlyExit)
    SPECINFER_RETURN_IF_ERROR(AddEarlyExit());
  strategy_ = strategy;
  return expected_drafter_->SetExpected(expected);
}

Speculation* SpeechDrafters::BeginTry(const SharedNoise& noise) {
  if (strategy_ == Strategy::kOff) return nullptr;
  speculation_->Rollback(0);
  speculation_->Begin({.strategy = strategy_, .noise = noise});
  return speculation_.get();
}

// What does not fit is not learnt, and costs a guess.
void SpeechDrafters::Learn(absl::Span<const Token> text) {
  (void)corpus_->Add(text);
}

}  // namespace specinfer
