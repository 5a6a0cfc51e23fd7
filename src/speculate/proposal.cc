#include "src/speculate/proposal.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"

namespace specinfer {

Proposal::Proposal(int32_t max_nodes) : tree_(max_nodes) { tree_.Reset(0); }

int32_t Proposal::max_sampled_nodes() const {
  return room_ == nullptr ? 0 : room_->sampled->limits().max_nodes;
}

absl::Status Proposal::AllowSampled(int32_t vocabulary_size,
                                    int32_t num_draft_tokens, Memory& memory) {
  if (room_ != nullptr &&
      room_->sampled->limits().vocabulary_size >= num_draft_tokens)
    return absl::OkStatus();
  const int32_t max_nodes = std::min(tree_.max_nodes(), kMaxSampledNodes);
  const auto make = [&]() -> absl::StatusOr<std::unique_ptr<Room>> {
    auto room = std::make_unique<Room>();
    room->vocabulary_size = static_cast<size_t>(vocabulary_size);
    SPECINFER_ASSIGN_OR_RETURN(
        room->sampled,
        SampledTree::Create({.max_nodes = max_nodes,
                             .max_expanded = std::max(1, max_nodes - 1),
                             .max_children = max_nodes,
                             .vocabulary_size = num_draft_tokens},
                            memory));
    SPECINFER_ASSIGN_OR_RETURN(ResidualLaw residual,
                               ResidualLaw::Create(vocabulary_size, memory));
    room->residual = std::make_unique<ResidualLaw>(std::move(residual));
    SPECINFER_ASSIGN_OR_RETURN(
        room->target_rows,
        memory.Allocate(static_cast<size_t>(max_nodes) * room->vocabulary_size *
                            sizeof(float),
                        "the target's laws"));
    return room;
  };
  absl::StatusOr<std::unique_ptr<Room>> room = make();
  if (absl::IsResourceExhausted(room.status())) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the laws of sampled guesses, of ", max_nodes, " nodes and ",
        vocabulary_size, " tokens: ", room.status().message(),
        "; create the session with fewer tree nodes or verify by matching"));
  }
  SPECINFER_RETURN_IF_ERROR(room.status());
  if (is_sampled()) Begin(/*root=*/0);
  room_ = *std::move(room);
  return absl::OkStatus();
}

TokenTree& Proposal::Begin(Token root) {
  verifier_ = Verifier::kMatch;
  tree_.Reset(root);
  return tree_;
}

SampledTree& Proposal::BeginSampled(Token root, const NoiseKey& key,
                                    Verifier verifier) {
  verifier_ = verifier;
  room_->sampled->Reset(root, key);
  return *room_->sampled;
}

absl::Span<float> Proposal::TargetRow(int32_t node) {
  return {reinterpret_cast<float*>(room_->target_rows.data()) +
              static_cast<size_t>(node) * room_->vocabulary_size,
          room_->vocabulary_size};
}

absl::Status Proposal::Verify(
    absl::FunctionRef<absl::StatusOr<Token>(int32_t node)> choose,
    TargetLaw law, Walk* walk) {
  switch (verifier_) {
    case Verifier::kMatch:
      return MatchVerify(tree_, choose, walk);
    case Verifier::kRatio:
      return RatioVerify(*room_->sampled, law, room_->residual.get(), walk);
    case Verifier::kWithoutReplacement:
      return WithoutReplacementVerify(*room_->sampled, law,
                                      room_->residual.get(), walk);
  }
  return absl::InternalError("no such verifier");
}

}  // namespace specinfer
