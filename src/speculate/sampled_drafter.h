// A network that draws its guesses from its own law instead of choosing them:
// what the verifiers by ratio need.
#ifndef SPECINFER_SRC_SPECULATE_SAMPLED_DRAFTER_H_
#define SPECINFER_SRC_SPECULATE_SAMPLED_DRAFTER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "src/sample/sampler.h"
#include "src/speculate/draft_runner.h"
#include "src/speculate/sampled_tree.h"

namespace specinfer {

struct SampledDraftRequest {
  absl::Span<const Token> text;  // committed; its last token is the tree's root
  // Which nodes to draw: how many children each has is settled before any is
  // drawn, so it depends on nothing that the round will draw.
  const TokenTree* shape = nullptr;
  DraftSource source = 0;  // marks the nodes
  PassControl control;
};

// Draws with the sampling options of the answer, the text's own rules
// (penalties, biases) included: the closer to the target's law, the more is
// accepted. Any law would do.
// Uses the runner of a drafter, whose Accept and Rollback see to the text.
// Not thread-safe.
class SampledDrafter {
 public:
  // For shapes of up to `max_nodes`. `runner` must outlive it.
  SampledDrafter(DraftRunner& runner, int32_t max_nodes);

  // An answer begins. `allowed`: bit set of what the target may choose.
  // REQUIRES: the temperature is above 0.
  void Begin(const SamplingOptions& sampling,
             absl::Span<const uint64_t> allowed);

  // Adds the shape's nodes to `tree`, which was reset to its root; fewer where
  // a law has fewer tokens.
  // Errors: DEADLINE_EXCEEDED: the same call goes on. After others the tree is
  // not to be used.
  // REQUIRES: Begin; the tree's laws have at least runner().num_tokens() tokens
  // and rows for all nodes of the shape that have children.
  absl::Status Draft(const SampledDraftRequest& request, SampledTree* tree);
  void GiveUp() { is_drafting_ = false; }

  const DraftRunner& runner() const { return runner_; }

 private:
  void BeginRound(const TokenTree& shape);
  // The nodes at depth_ that will have children.
  void PlanLevel(const TokenTree& shape);
  HeadQuery Ask(const SampledDraftRequest& request, size_t i,
                SampledTree* tree);
  absl::Status DrawLevels(const SampledDraftRequest& request,
                          SampledTree* tree);
  absl::Status DrawChildren(const SampledDraftRequest& request, size_t i,
                            SampledTree* tree);

  DraftRunner& runner_;
  std::vector<uint64_t> allowed_;  // bit set of what it may guess
  std::unique_ptr<Sampler> sampler_;

  // This round.
  bool is_drafting_ = false;
  int32_t depth_ = 0;
  std::vector<int32_t> node_of_;  // [shape node]; -1: not drawn
  std::vector<int32_t> places_;   // of the level: nodes of the shape
  std::vector<int32_t> level_;    // the same nodes in the tree
  std::vector<SampleSlot> slots_;
  std::vector<Token> path_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_SAMPLED_DRAFTER_H_
