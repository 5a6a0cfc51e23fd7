// The part of Session that says who drafts.
#include <memory>
#include <utility>

#include "src/base/status_macros.h"
#include "src/session/session.h"
#include "src/speculate/edit_drafter.h"
#include "src/speculate/model_drafter.h"
#include "src/speculate/translated_drafter.h"

namespace specinfer {
namespace {

// Places of free drafters, in the order in which they are added.
constexpr size_t kExpected = 0;
constexpr size_t kNgram = 2;

DraftNetwork NetworkOf(const Model& model, const DecoderCut& cut,
                       const CacheLayout& layout, PassTimes& times) {
  return {.backend = model.engine().backend.get(),
          .architecture = &model.architecture(),
          .layout = &layout,
          .weights = &model.weights(),
          .proposable = model.samplable_tokens(),
          .cut = cut,
          .times = &times};
}

}  // namespace

// Free ones come first: a model then drafts only what they leave open.
absl::Status Session::CreateDrafters() {
  speculation_ = std::make_unique<Speculation>(
      PlannerOptions{.max_nodes = options_.max_tree_nodes,
                     .has_model = options_.draft_model != nullptr},
      &model_->pass_times());
  SPECINFER_RETURN_IF_ERROR(AddFreeDrafters());
  if (options_.draft_model == nullptr) return absl::OkStatus();
  return AddModelDrafter();
}

absl::Status Session::AddFreeDrafters() {
  Memory& memory = *model_->engine().memory;
  speculation_->AddDrafter(std::make_unique<ExpectedDrafter>(
                               memory, model_->architecture().vocabulary_size),
                           DrafterKind::kFree);
  speculation_->AddDrafter(std::make_unique<EditDrafter>(), DrafterKind::kFree);
  SPECINFER_ASSIGN_OR_RETURN(
      std::unique_ptr<NgramDrafter> ngram,
      NgramDrafter::Create(memory, options_.max_context_tokens,
                           /*corpus=*/nullptr));
  speculation_->AddDrafter(std::move(ngram), DrafterKind::kFree);
  FindFreeDrafters();
  return absl::OkStatus();
}

void Session::FindFreeDrafters() {
  expected_drafter_ =
      static_cast<ExpectedDrafter*>(&speculation_->drafter(kExpected));
  ngram_drafter_ = static_cast<NgramDrafter*>(&speculation_->drafter(kNgram));
}

absl::Status Session::ForkDrafters(const Session& from) {
  SPECINFER_ASSIGN_OR_RETURN(speculation_, from.speculation_->Fork());
  FindFreeDrafters();
  SetCorpus(from.corpus_, from.learns_corpus_);
  return absl::OkStatus();
}

absl::Status Session::AddModelDrafter() {
  const Model& draft = *options_.draft_model;
  if (&draft.engine() != &model_->engine()) {
    return absl::FailedPreconditionError(
        "the draft model belongs to another engine; load it with the engine of "
        "the model");
  }
  const bool shares_tokens =
      draft.VocabularyFingerprint() == model_->VocabularyFingerprint();
  ModelDrafterOptions options = {
      .name = "draft",
      .max_nodes = options_.max_tree_nodes,
      .max_context_tokens = std::min(draft.architecture().max_context,
                                     options_.max_context_tokens)};
  // All that a text becomes that was not followed.
  if (!shares_tokens) options.read_back_tokens = TranslatedText::kMaxReadBack;
  SPECINFER_ASSIGN_OR_RETURN(
      std::unique_ptr<Drafter> drafter,
      ModelDrafter::Create(NetworkOf(draft, draft.draft_cut(),
                                     draft.cache_layout(), draft.draft_times()),
                           options));
  if (!shares_tokens) {
    SPECINFER_ASSIGN_OR_RETURN(
        drafter, TranslatedDrafter::Create(
                     std::move(drafter), draft.tokenizer(), model_->tokenizer(),
                     *model_->engine().memory,
                     {.max_nodes = options_.max_tree_nodes,
                      .max_context_tokens = options_.max_context_tokens}));
  }
  speculation_->AddDrafter(std::move(drafter), DrafterKind::kModel);
  return absl::OkStatus();
}

absl::Status Session::AllowDrafts(const GenerationOptions& options) {
  if (options.strategy == Strategy::kEarlyExit)
    SPECINFER_RETURN_IF_ERROR(AddEarlyExit());
  return options.EffectiveVerifier() == Verifier::kMatch
             ? absl::OkStatus()
             : AllowSampledDrafts(options);
}

absl::Status Session::AllowSampledDrafts(const GenerationOptions& options) {
  if (options.strategy == Strategy::kNgram) {
    return absl::InvalidArgumentError(
        "guesses that are looked up are not sampled: verify them by matching, "
        "or choose a strategy of a draft model");
  }
  if (options.strategy == Strategy::kOff) return absl::OkStatus();
  const int32_t num_tokens = speculation_->num_sampled_tokens();
  if (num_tokens == 0) {
    if (options.strategy == Strategy::kAuto) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "this draft model's guesses cannot be sampled: verify them by "
        "matching");
  }
  return lane_.proposal.AllowSampled(model_->architecture().vocabulary_size,
                                     num_tokens, *model_->engine().memory);
}

absl::Status Session::AddEarlyExit() {
  if (has_early_exit_) return absl::OkStatus();
  SPECINFER_ASSIGN_OR_RETURN(
      std::unique_ptr<Drafter> drafter,
      ModelDrafter::Create(
          NetworkOf(*model_, model_->early_exit_cut(), cache_layout(),
                    model_->early_exit_times()),
          {.name = "early-exit",
           .max_nodes = options_.max_tree_nodes,
           .shared_sequence = &sequence_}));
  speculation_->AddDrafter(std::move(drafter), DrafterKind::kEarlyExit);
  has_early_exit_ = true;
  return absl::OkStatus();
}

absl::Status Session::PrepareDrafters() {
  std::vector<Token> expected;
  if (!expected_output_.empty()) {
    SPECINFER_ASSIGN_OR_RETURN(expected, Tokenize(expected_output_, {}));
  }
  SPECINFER_RETURN_IF_ERROR(expected_drafter_->SetExpected(expected));
  speculation_->Begin(MakeSpeculationRequest());
  return absl::OkStatus();
}

void Session::SetCorpus(std::shared_ptr<Corpus> corpus, bool learns) {
  corpus_ = std::move(corpus);
  learns_corpus_ = learns && corpus_ != nullptr;
  ngram_drafter_->SetCorpus(corpus_);
}

SpeculationRequest Session::MakeSpeculationRequest() const {
  const SamplingOptions& sampling = generation_.sampling;
  return {.strategy = generation_.strategy,
          .shape = generation_.tree_shape,
          .noise = {.temperature = sampling.temperature,
                    .seed = sampling.seed,
                    .stream = sampling.stream,
                    .top_k = sampling.top_k,
                    .top_p = sampling.top_p,
                    .min_p = sampling.min_p},
          .verifier = generation_.EffectiveVerifier(),
          .sampling = &sampling,
          .allowed = sampler_->allowed()};
}

}  // namespace specinfer
