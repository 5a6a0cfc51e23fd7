// What a caller may ask of an answer, and what it gets back piece by piece.
#ifndef SPECINFER_SRC_SESSION_GENERATION_H_
#define SPECINFER_SRC_SESSION_GENERATION_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"

#include "src/backend/stream.h"
#include "src/sample/sampling.h"
#include "src/speculate/planner.h"
#include "src/speculate/proposal.h"

namespace specinfer {

// specinfer_generation_config says what each means; here defaults are resolved
// and memory is owned.
struct GenerationOptions {
  int32_t max_tokens = 0;  // 0: no limit
  SamplingOptions sampling;
  int32_t num_top_log_probabilities = 0;
  bool wants_log_probabilities = false;
  std::vector<std::string> stop_strings;
  std::vector<std::string> banned_strings;
  Strategy strategy = Strategy::kAuto;
  TreeShape tree_shape;
  Verifier verifier = Verifier::kMatch;
  bool ignore_end = false;

  // At temperature 0 there is one token to choose: whoever guesses it is right.
  Verifier EffectiveVerifier() const {
    return sampling.temperature > 0.0f ? verifier : Verifier::kMatch;
  }
};

enum class StepState : int32_t { kMore = 0, kTokens = 1, kDone = 2 };
enum class Finish : int32_t {
  kNone = 0,
  kEnd = 1,
  kStopString = 2,
  kMaxTokens = 3,
  kContext = 4,
  kCallback = 5
};

struct TokenLogProbability {
  Token token = 0;
  float log_probability = 0.0f;
};

struct GeneratedToken {
  Token token = 0;
  float log_probability = 0.0f;
  absl::Span<const TokenLogProbability> alternatives;
};

// Borrowed from the session until its next call.
struct Event {
  StepState state = StepState::kMore;
  Finish finish = Finish::kNone;
  std::string_view text;
  absl::Span<const GeneratedToken> tokens;
  int32_t num_prefilled_tokens = 0;
  int32_t num_prompt_tokens = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SESSION_GENERATION_H_
