// What is left of the target's law at a node while the node's sampled children
// are tested one after the other.
#ifndef SPECINFER_SRC_SPECULATE_RESIDUAL_LAW_H_
#define SPECINFER_SRC_SPECULATE_RESIDUAL_LAW_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/backend/stream.h"
#include "src/base/memory.h"

namespace specinfer {

// Sequoia (Chen et al. 2024, arXiv 2402.12374, appendix F.2); with one child it
// is Leviathan et al. 2023, section 2.3. R is the target's residual and D the
// draft's law over the tokens not drawn yet; both are laws at every step:
//   child s, drawn from D, is accepted with probability min(1, R(s) / D(s));
//   when it is refused, R <- norm(max(R - D, 0)) and D <- norm(D without s).
// "Draw from D, test, otherwise draw from the next R" has the law R, whatever
// the draw; so the token that comes out has the target's.
//
// Computes in double, in memory of its own: the laws given are not edited.
class ResidualLaw {
 public:
  static absl::StatusOr<ResidualLaw> Create(int32_t vocabulary_size,
                                            Memory& memory);
  static uint64_t PlanBytes(int32_t vocabulary_size);

  // `target` [vocabulary] and `draft`; neither need sum to 1. `draft` is empty
  // for a node without children. Otherwise tokens that it is too short for have
  // none of it, and so must those have that are in no vocabulary of the target.
  // Borrows `target` until the next Begin.
  // Errors: INVALID_ARGUMENT (`target` is not a law).
  absl::Status Begin(absl::Span<const float> target,
                     absl::Span<const float> draft);

  // With which probability the child that carries `token` is accepted.
  double AcceptProbability(Token token) const;
  // The decision, by a number that is uniform in [0, 1).
  bool Accepts(Token token, double uniform) const;
  // Goes on without the child that carries `token`. False: its refusal had
  // probability 0, but for rounding; R is the target's law again and no more
  // children may be tested.
  bool Refuse(Token token);

  double Probability(Token token) const;
  // A token of law R, by a number that is uniform in [0, 1).
  Token Draw(double uniform) const;

 private:
  ResidualLaw(int32_t vocabulary_size, Block residual, Block draft);
  absl::Status CopyTarget();

  absl::Span<const float> target_;
  Block residual_block_, draft_block_;
  absl::Span<double> residual_;  // [vocabulary]: R times residual_sum_
  absl::Span<float> draft_;      // [vocabulary]: D times draft_sum_
  double residual_sum_ = 0.0;
  double draft_sum_ = 0.0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_RESIDUAL_LAW_H_
