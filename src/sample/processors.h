// What the text so far does to the next token's law: penalties, DRY and biases
// as one sparse list.
#ifndef SPECINFER_SRC_SAMPLE_PROCESSORS_H_
#define SPECINFER_SRC_SAMPLE_PROCESSORS_H_

#include <vector>

#include "absl/types/span.h"

#include "src/backend/stream.h"
#include "src/sample/sampling.h"

namespace specinfer {

// Works in memory of its own, kept from call to call. Not thread-safe.
class Processors {
 public:
  explicit Processors(const SamplingOptions& options);

  // Whether any option looks at the text.
  bool has_context_rules() const {
    return has_penalties_ || options_.dry_multiplier > 0.0f;
  }

  // The adjustments of the token that follows `text` and then `path`, ascending
  // by token.
  void Collect(absl::Span<const Token> text, absl::Span<const Token> path,
               std::vector<Adjustment>* adjustments);

 private:
  void GatherWindow(absl::Span<const Token> text, absl::Span<const Token> path,
                    size_t num_tokens);
  void AddPenalties(std::vector<Adjustment>* adjustments);
  void AddDry(std::vector<Adjustment>* adjustments);

  const SamplingOptions options_;
  const bool has_penalties_;
  std::vector<Token> window_;           // newest first
  std::vector<int32_t> match_lengths_;  // Z-function of window_
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SAMPLE_PROCESSORS_H_
