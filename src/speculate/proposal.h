// A round's tree with the only verifiers that its guesses may have: matching
// for guesses of any kind, the ratio tests for those that were sampled.
#ifndef SPECINFER_SRC_SPECULATE_PROPOSAL_H_
#define SPECINFER_SRC_SPECULATE_PROPOSAL_H_

#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/speculate/ratio_verifier.h"
#include "src/speculate/residual_law.h"
#include "src/speculate/sampled_tree.h"
#include "src/speculate/token_tree.h"
#include "src/speculate/verifier.h"

namespace specinfer {

// How an answer's guesses are verified.
enum class Verifier : int32_t {
  kMatch = 0,
  kRatio = 1,               // sampled chains
  kWithoutReplacement = 2,  // sampled trees
};

// Allocates in its constructor and in AllowSampled only. Not thread-safe.
class Proposal {
 public:
  // For trees of up to `max_nodes`, one node at first.
  explicit Proposal(int32_t max_nodes);

  // Takes memory for sampled trees, kept from then on: the laws of up to
  // kMaxSampledNodes nodes of the draft, over `num_draft_tokens` tokens, and as
  // many of the target, over its vocabulary.
  // Errors: RESOURCE_EXHAUSTED, with nothing changed.
  absl::Status AllowSampled(int32_t vocabulary_size, int32_t num_draft_tokens,
                            Memory& memory);
  static constexpr int32_t kMaxSampledNodes = 64;
  // 0: sampled trees are not allowed.
  int32_t max_sampled_nodes() const;

  // Both start over with one node, and with what the other began gone.
  TokenTree& Begin(Token root);
  // `key` as in SampledTree::Reset.
  // REQUIRES: AllowSampled; verifier is not kMatch.
  SampledTree& BeginSampled(Token root, const NoiseKey& key, Verifier verifier);

  const TokenTree& tree() const {
    return is_sampled() ? room_->sampled->tree() : tree_;
  }
  absl::Span<const uint64_t> PathBits() {
    return is_sampled() ? room_->sampled->PathBits() : tree_.PathBits();
  }
  bool is_sampled() const { return verifier_ != Verifier::kMatch; }
  // Of the tree that was begun last.
  Verifier verifier() const { return verifier_; }
  // Where the target's law at a node may lie, [vocabulary].
  // REQUIRES: is_sampled().
  absl::Span<float> TargetRow(int32_t node);

  // By the verifier of what was begun: `choose` is MatchVerify's, `law` that of
  // the ratio tests; one of them is called.
  absl::Status Verify(
      absl::FunctionRef<absl::StatusOr<Token>(int32_t node)> choose,
      TargetLaw law, Walk* walk);

 private:
  // What sampled trees take.
  struct Room {
    std::unique_ptr<SampledTree> sampled;
    std::unique_ptr<ResidualLaw> residual;
    Block target_rows;  // [max_nodes, vocabulary]
    size_t vocabulary_size;
  };

  TokenTree tree_;
  std::unique_ptr<Room> room_;
  Verifier verifier_ = Verifier::kMatch;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_PROPOSAL_H_
