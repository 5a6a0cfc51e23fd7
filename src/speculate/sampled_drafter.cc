#include "src/speculate/sampled_drafter.h"

#include <algorithm>

#include "src/base/status_macros.h"

namespace specinfer {

SampledDrafter::SampledDrafter(DraftRunner& runner, int32_t max_nodes)
    : runner_(runner) {
  const size_t num_nodes = static_cast<size_t>(max_nodes);
  node_of_.reserve(num_nodes);
  places_.reserve(num_nodes);
  level_.reserve(num_nodes);
  path_.reserve(num_nodes);
  slots_.resize(num_nodes);
}

void SampledDrafter::Begin(const SamplingOptions& sampling,
                           absl::Span<const uint64_t> allowed) {
  const absl::Span<const uint64_t> proposable = runner_.network().proposable;
  allowed_.assign(proposable.begin(), proposable.end());
  for (size_t i = 0; i < allowed_.size(); ++i)
    allowed_[i] &= i < allowed.size() ? allowed[i] : 0;
  sampler_ = std::make_unique<Sampler>(sampling, allowed_);
}

void SampledDrafter::BeginRound(const TokenTree& shape) {
  runner_.BeginRound();
  is_drafting_ = true;
  depth_ = 0;
  node_of_.assign(static_cast<size_t>(shape.size()), -1);
  node_of_[0] = 0;
  PlanLevel(shape);
}

void SampledDrafter::PlanLevel(const TokenTree& shape) {
  places_.clear();
  level_.clear();
  for (int32_t place = 0; place < shape.size(); ++place) {
    const int32_t node = node_of_[static_cast<size_t>(place)];
    if (shape.depth(place) != depth_ || shape.first_child(place) < 0 ||
        node < 0)
      continue;
    places_.push_back(place);
    level_.push_back(node);
  }
}

absl::Status SampledDrafter::Draft(const SampledDraftRequest& request,
                                   SampledTree* tree) {
  const absl::Status status = DrawLevels(request, tree);
  is_drafting_ = absl::IsDeadlineExceeded(status);
  return status;
}

absl::Status SampledDrafter::DrawLevels(const SampledDraftRequest& request,
                                        SampledTree* tree) {
  if (!is_drafting_) BeginRound(*request.shape);
  while (!level_.empty()) {
    SPECINFER_RETURN_IF_ERROR(runner_.RunLevel(
        request.text, tree->tree(), level_,
        [&](size_t i) { return Ask(request, i, tree); }, request.control));
    for (size_t i = 0; i < level_.size(); ++i)
      SPECINFER_RETURN_IF_ERROR(DrawChildren(request, i, tree));
    ++depth_;
    PlanLevel(*request.shape);
  }
  return absl::OkStatus();
}

HeadQuery SampledDrafter::Ask(const SampledDraftRequest& request, size_t i,
                              SampledTree* tree) {
  const int32_t node = level_[i];
  tree->tree().GetPath(node, &path_);
  return sampler_->AskLaw(
      /*row=*/static_cast<int32_t>(i),
      static_cast<int64_t>(request.text.size()) + tree->tree().depth(node),
      request.text, path_, /*banned=*/{},
      tree->SpareRow(static_cast<int32_t>(i)), &slots_[i]);
}

absl::Status SampledDrafter::DrawChildren(const SampledDraftRequest& request,
                                          size_t i, SampledTree* tree) {
  const TokenTree& shape = *request.shape;
  int32_t num_children = 0;
  for (int32_t place = shape.first_child(places_[i]); place >= 0;
       place = shape.next_sibling(place))
    ++num_children;
  // Each node before it took a row, so this is the one that Ask named.
  const absl::Span<float> law = tree->SpareRow(0);
  const Sampler::LawState state = sampler_->MakeLaw(slots_[i], law);
  if (state == Sampler::LawState::kEmpty) {
    return absl::FailedPreconditionError(
        "the draft model's logits leave no token to guess");
  }
  // Any law will do for a draft.
  if (state == Sampler::LawState::kNeedsFullRow)
    sampler_->MakeLawOfCandidates(slots_[i], law);
  SPECINFER_ASSIGN_OR_RETURN(
      const int32_t num_drawn,
      tree->Expand(level_[i], law, num_children, request.source));
  int32_t child = tree->tree().size() - num_drawn;
  for (int32_t place = shape.first_child(places_[i]);
       place >= 0 && child < tree->tree().size();
       place = shape.next_sibling(place)) {
    tree->set_score(child, shape.score(place));
    node_of_[static_cast<size_t>(place)] = child++;
  }
  return absl::OkStatus();
}

}  // namespace specinfer
