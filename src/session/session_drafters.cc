// The part of Session that says who drafts.
#include <memory>
#include <utility>

#include "src/base/status_macros.h"
#include "src/session/session.h"
#include "src/speculate/model_drafter.h"

namespace specinfer {
namespace {

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

absl::Status Session::CreateDrafters() {
  const Model* draft = options_.draft_model.get();
  speculation_ = std::make_unique<Speculation>(
      PlannerOptions{.max_nodes = options_.max_tree_nodes,
                     .has_model = draft != nullptr},
      &model_->pass_times());
  if (draft == nullptr) return absl::OkStatus();
  if (&draft->engine() != &model_->engine()) {
    return absl::FailedPreconditionError(
        "the draft model belongs to another engine; load it with the engine of "
        "the model");
  }
  if (!draft->HasVocabularyOf(*model_)) {
    return absl::UnimplementedError(
        "the draft model has another vocabulary; use one of the same family");
  }
  SPECINFER_ASSIGN_OR_RETURN(
      std::unique_ptr<Drafter> drafter,
      ModelDrafter::Create(
          NetworkOf(*draft, draft->draft_cut(), draft->cache_layout(),
                    draft->draft_times()),
          {.name = "draft",
           .max_nodes = options_.max_tree_nodes,
           .max_context_tokens = std::min(draft->architecture().max_context,
                                          options_.max_context_tokens)}));
  speculation_->AddDrafter(std::move(drafter), DrafterKind::kModel);
  return absl::OkStatus();
}

// Made when first asked for: its scratch memory is not free.
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

SpeculationRequest Session::MakeSpeculationRequest() const {
  const SamplingOptions& sampling = generation_.sampling;
  return {.strategy = generation_.strategy,
          .noise = {.temperature = sampling.temperature,
                    .seed = sampling.seed,
                    .stream = sampling.stream,
                    .top_k = sampling.top_k,
                    .top_p = sampling.top_p,
                    .min_p = sampling.min_p}};
}

}  // namespace specinfer
