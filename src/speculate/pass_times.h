// What a pass costs, learnt while running.
#ifndef SPECINFER_SRC_SPECULATE_PASS_TIMES_H_
#define SPECINFER_SRC_SPECULATE_PASS_TIMES_H_

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "src/backend/backend.h"

namespace specinfer {

// What is believed of a model's passes before any was timed.
struct PassTimesPrior {
  double seconds =
      0.05;  // one row without context; forgotten at the first time
  // What a token of context adds to a pass, in parts of `seconds`: its keys and
  // values are read (their bytes over the weights' bytes) ...
  double context_weight = 0.0;
  // ... and multiplied, for each row.
  double row_context_weight = 0.0;
  // Without context: ascending rows from {1, 1}, straight lines between. Goes
  // on with the last slope to 1,024 rows, from there in proportion to rows.
  std::vector<PassRatio> shape = {{1, 1.0},   {2, 1.04}, {4, 1.2}, {8, 1.5},
                                  {16, 2.15}, {32, 3.1}, {64, 5.4}};
};

// Seconds of a pass over n rows behind C tokens of context:
//   t(n, C) = scale * factor(C) * (shape(n) + C * (context + n * row_context))
// factor(C) corrects the attention's growth per bucket of contexts (to 512,
// 1,024, 2,048, ... tokens).
//
// A Kalman filter over the logarithms of scale, shape and factors, so each time
// corrects what is least known: the scale drifts fast (half-life of 8 passes: a
// machine that becomes slower becomes slower at all n), shape and factors
// hardly. They are walks that begin at the prior: what is learnt at one n or C
// is believed of its neighbours until they are timed themselves.
//
// Nothing is run only to be timed: the first round, which is plain, tells the
// scale, and the next ones time the shapes they use. Three passes of 4, 8 and
// 16 rows take as long as five plain rounds, and single times of a noisy
// machine tell little: they bring t(16)/t(1) from the prior's 2.15 to 2.5 where
// it is 4.5. In simulated first answers of 32 and 128 tokens, over five t(n)
// (those of AMX and AVX-512 kernels, a flat one, two peers') and three
// qualities of guesses, they cost more than they saved in 27 of 30 cases: a
// median of 14 % of the answer. What an earlier run learnt costs nothing
// (ToJson).
//
// Thread-safe: shared by a model's sessions. Allocates when created and in
// JSON.
class PassTimes {
 public:
  // REQUIRES: prior.shape as described there, of at least two knots, above 0.
  explicit PassTimes(PassTimesPrior prior = {});

  // A pass took `seconds`. More than 3 times the prediction, or less than a
  // third, counts as just that. Ignores what cannot be a time.
  void Record(int32_t rows, int64_t context_tokens, double seconds);

  double Seconds(int32_t rows, int64_t context_tokens) const;

  // out[n] for n = 1..max_rows: the greatest convex function that never falls
  // and is nowhere above Seconds (a pass may always be padded): a step does not
  // look like a wall to something that grows row by row. out[0] is 0.
  // REQUIRES: max_rows >= 1, out.size() > max_rows.
  void FillConvex(int64_t context_tokens, int32_t max_rows,
                  absl::Span<double> out) const;

  // Whether any pass was recorded or read.
  bool has_measured() const;
  // Passes that were recorded since it was made.
  uint64_t num_recorded() const;

  // One line for a cache; the same prior reads it back.
  std::string ToJson() const;
  // Replaces what was learnt; the scale is taken as a hint, because the machine
  // may have more or less to do by now. Errors, with nothing changed:
  // INVALID_ARGUMENT (not such a line, another shape's, numbers out of range).
  absl::Status FromJson(std::string_view text);

 private:
  // Where n lies: ratio = lower * ratio[knot] + upper * ratio[knot + 1].
  struct Place {
    size_t knot;
    double lower;
    double upper;
  };

  Place Find(int32_t rows) const;
  double Ratio(const Place& place) const;
  double Attention(int32_t rows, int64_t context_tokens) const;
  double Predict(int32_t rows, int64_t context_tokens) const;
  void Drift();
  void Update(double surprise);
  size_t FactorOf(int64_t context_tokens) const;
  double& covariance(size_t row, size_t column) {
    return covariance_[row * state_.size() + column];
  }
  double PriorCovariance(size_t row, size_t column) const;

  // The state: [0] log scale; [k] log ratio of knot k; then the log factors of
  // all buckets but the first. Knot 0 is {1, 1}, and the first factor is 1.
  std::vector<int32_t> rows_;  // of the knots
  double context_weight_;
  double row_context_weight_;
  std::vector<double> prior_covariance_;  // [state, state]

  mutable std::mutex mutex_;  // of what follows
  bool has_measured_ = false;
  uint64_t num_recorded_ = 0;
  std::vector<double> state_;
  std::vector<double> ratios_;      // of the knots, as in the state
  std::vector<double> covariance_;  // [state, state]
  std::vector<double> slope_;       // of the log time by the state
  std::vector<double> gain_;        // covariance * slope
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_PASS_TIMES_H_
