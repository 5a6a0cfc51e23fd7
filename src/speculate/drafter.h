// What guesses the target's next tokens.
#ifndef SPECINFER_SRC_SPECULATE_DRAFTER_H_
#define SPECINFER_SRC_SPECULATE_DRAFTER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/backend/stream.h"
#include "src/speculate/token_tree.h"
#include "src/speculate/tree_budget.h"
#include "src/speculate/verifier.h"

namespace specinfer {

class SampledDrafter;

// What the target will draw its tokens with. A drafter that uses the same noise
// at the same position guesses what the target's draw will be
// (shared-noise matching).
struct SharedNoise {
  float temperature = 0.0f;  // 0: no noise
  uint64_t seed = 0;
  uint64_t stream = 0;
  int32_t top_k = 0;  // the target's cuts; 0 and 1 as in SamplingOptions
  float top_p = 1.0f;
  float min_p = 0.0f;
};

struct DraftRequest {
  absl::Span<const Token> text;  // committed; its last token is the tree's root
  TreeBudget budget;
  SharedNoise noise;
  DraftSource source = 0;  // marks the nodes
  bool is_forced = false;  // draft even where it is not expected to pay
  PassControl control;
};

// Hidden layers that the target computed for the nodes of a walk, for drafters
// that are heads on them. Empty where no drafter asked for any.
struct WalkFeatures {
  absl::Span<const float> hidden;  // [walk.path.size(), width]
  int64_t width = 0;
};

// Only speed depends on a drafter: it may be wrong, slow, or fail. Belongs to
// one session; not thread-safe.
//
// Prefill and Draft may return DEADLINE_EXCEEDED: the same call with the same
// arguments goes on. Any other error leaves the drafter usable after Rollback.
class Drafter {
 public:
  virtual ~Drafter() = default;

  // "ngram", "draft": a word for people.
  virtual std::string_view name() const = 0;

  // Reads what it lacks of `text`.
  virtual absl::Status Prefill(absl::Span<const Token> text,
                               const PassControl& control) {
    (void)text, (void)control;
    return absl::OkStatus();
  }

  // Seconds that it would first read a text of `num_tokens`, before it can
  // draft.
  virtual double PredictJoining(size_t num_tokens) const {
    (void)num_tokens;
    return 0.0;
  }

  // Seconds that the last Draft spent on that.
  virtual double joining_seconds() const { return 0.0; }

  // Seconds of one step of drafting; 0: next to nothing.
  virtual double step_seconds() const { return 0.0; }

  // Adds nodes to `tree`, which may hold other drafters' nodes, within
  // request.budget.
  virtual absl::Status Draft(const DraftRequest& request, TokenTree* tree) = 0;

  // The target begins its pass over `tree`: an asynchronous drafter may now
  // prepare the next round for the outcomes it expects. Returns at once.
  virtual void BeginOutcomes(const TokenTree& tree) { (void)tree; }

  // The round is over: `text` is the text before it, `walk` what became of
  // `tree`.
  virtual void Accept(absl::Span<const Token> text, const TokenTree& tree,
                      const Walk& walk, const WalkFeatures& features) = 0;

  // The text has been cut to its first `num_tokens` tokens, or was never
  // longer. Also gives up a call that stopped at a deadline.
  virtual void Rollback(size_t num_tokens) = 0;

  // Gives back the memory that it has taken to follow the text, as the target
  // lacks it; the next Draft may take it again. Rollback follows. False: there
  // was none.
  virtual bool GiveBackMemory() { return false; }

  // For a session that goes on from the same text.
  virtual absl::StatusOr<std::unique_ptr<Drafter>> Fork() = 0;

  // What draws sampled guesses with the same network; Accept, Rollback and Fork
  // see to both. Null: it has no law to draw from.
  virtual SampledDrafter* sampled() { return nullptr; }
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_DRAFTER_H_
