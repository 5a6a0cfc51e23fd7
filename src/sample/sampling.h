// The law tokens are drawn from, as the caller sets it.
#ifndef SPECINFER_SRC_SAMPLE_SAMPLING_H_
#define SPECINFER_SRC_SAMPLE_SAMPLING_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "src/backend/stream.h"

namespace specinfer {

struct LogitBias {
  Token token = 0;
  float bias = 0.0f;
};

// Applied in this order: biases, repetition, frequency and presence penalties,
// DRY; then top-k, top-p and min-p on the law at temperature 1; then
// temperature, then the draw.
struct SamplingOptions {
  float temperature = 0.0f;  // 0: the likeliest token
  int32_t top_k = 0;         // 0: no cut
  float top_p = 1.0f;
  float min_p = 0.0f;
  uint64_t seed = 1;
  uint64_t stream = 0;
  float repetition_penalty = 1.0f;
  float frequency_penalty = 0.0f;
  float presence_penalty = 0.0f;
  int32_t penalty_window = 64;
  float dry_multiplier = 0.0f;  // 0: off
  float dry_base = 1.75f;
  int32_t dry_allowed_length = 2;
  int32_t dry_window = 0;  // 0: the whole context
  absl::Span<const uint64_t>
      dry_breakers;  // bit set of tokens that no repetition extends across; may
                     // be empty
  std::vector<LogitBias> logit_biases;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SAMPLE_SAMPLING_H_
