// Chooses how the next round drafts: what has been fastest, measured.
#ifndef SPECINFER_SRC_SPECULATE_PLANNER_H_
#define SPECINFER_SRC_SPECULATE_PLANNER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "src/speculate/pass_times.h"
#include "src/speculate/tree_budget.h"

namespace specinfer {

enum class Strategy : int32_t {
  kAuto = 0,
  kOff = 1,
  kNgram = 2,
  kDraft = 3,
  kTree = 4,
  kEarlyExit = 5,
};
inline constexpr size_t kNumStrategies = 6;

// What a drafter costs decides which plans use it.
enum class DrafterKind : uint8_t {
  kFree,       // looks things up
  kModel,      // runs a draft model
  kEarlyExit,  // runs the target's first layers
};

struct Plan {
  Strategy strategy = Strategy::kOff;  // never kAuto
  bool uses_free = false;
  bool uses_model = false;
  bool uses_early_exit = false;
  bool is_forced = false;  // by the caller
  TreeBudget budget;
  double predicted_gain = 1.0;  // tokens per time, over plain decoding
  double plain_seconds = 0.0;   // of a round of plain decoding
  // Of the tree that was drafted, before its pass: tokens, and seconds of the
  // pass alone.
  double expected_tokens = 1.0;
  double expected_seconds = 0.0;
  const char* reason = "";  // for people; lives forever
  size_t arm = 0;           // the planner's own

  bool Uses(DrafterKind kind) const {
    return kind == DrafterKind::kFree    ? uses_free
           : kind == DrafterKind::kModel ? uses_model
                                         : uses_early_exit;
  }
};

// A caller's wish; 0: chosen by what pays.
struct TreeShape {
  int32_t nodes = 0;  // filled up to that, whatever it costs
  int32_t depth = 0;  // at most
};

struct PlanRequest {
  Strategy strategy = Strategy::kAuto;  // the caller's
  TreeShape shape;                      // the caller's
  int32_t num_context_tokens = 0;
  int32_t max_depth = 0;  // that the rest of the answer and the context allow
  int32_t num_tokens_left = 0;  // of the answer; 0: not known
  // Seconds before the first draft of a model that has not followed the text.
  double joining_seconds = 0.0;
};

struct PlannerOptions {
  int32_t max_nodes = 64;
  bool has_model = false;
  bool looks_up = true;  // kAuto may use free drafters
};

// Of each way to draft it keeps what came of it, tokens and time in units of
// plain decoding's, faded; before that, and again when it was not used for
// long, it believes an optimistic prior. It takes the best. A way that
// disappoints is believed less the next time, so trials become rare. Early
// exits are for callers who ask for them.
// Not thread-safe.
class Planner {
 public:
  // `times`: of the target's passes; must outlive it.
  Planner(const PlannerOptions& options, PassTimes* times);

  // An answer begins: what disappointed before may be tried again.
  void Begin();
  // The plan of the next round. Its budget borrows from the planner until the
  // next call.
  Plan Next(const PlanRequest& request);
  // What came of it. `seconds`: all of the round.
  void Record(const Plan& plan, int32_t num_tokens, double seconds);
  // A drafter of this kind failed: plans that use it count as a loss.
  void Avoid(DrafterKind kind);

  // Of the last rounds; 0: not known yet.
  double realised_gain() const;
  uint32_t num_changes() const { return num_changes_; }

 private:
  // A way to draft.
  struct Arm {
    Strategy strategy = Strategy::kOff;
    bool uses_free = false;
    bool uses_model = false;
    bool uses_early_exit = false;
    bool is_forced = false;
    int32_t max_children = 0;
    double first_prior = 1.0;   // gain that is believed at first
    double prior_rounds = 1.0;  // what that belief weighs
    double prior = 1.0;
    double tokens = 0.0;
    double plain_rounds = 0.0;  // time, in rounds of plain decoding

    double gain() const {
      return (prior * prior_rounds + tokens) / (prior_rounds + plain_rounds);
    }
    // The same with hardly any hope.
    double seen_gain() const {
      constexpr double kLittleHope = 1.06;
      return (kLittleHope * prior_rounds + tokens) /
             (prior_rounds + plain_rounds);
    }
  };

  // What a model would make of rounds like those that looking up was given,
  // as a gain: the rounds in which it found nothing would be the model's.
  double PromiseOfModel() const;
  double ExpectedGain(const Arm& arm, const PlanRequest& request,
                      double plain_seconds) const;
  size_t Choose(const PlanRequest& request, double plain_seconds,
                const char** reason);
  Plan MakePlan(const Arm& arm, const PlanRequest& request,
                double plain_seconds);

  PlannerOptions options_;
  PassTimes* times_;
  std::vector<Arm> arms_;
  size_t current_ = 0;
  uint32_t num_changes_ = 0;
  // Of rounds that looked up and found next to nothing.
  double weak_tokens_ = 0.0;
  double weak_plain_rounds_ = 0.0;
  double recent_tokens_ = 0.0;
  double recent_plain_rounds_ = 0.0;
  std::vector<double> pass_seconds_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_PLANNER_H_
