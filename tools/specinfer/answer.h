// One answer of a session: streamed to standard output while it is made, and
// kept with its numbers.
#ifndef SPECINFER_TOOLS_SPECINFER_ANSWER_H_
#define SPECINFER_TOOLS_SPECINFER_ANSWER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "interrupt.h"
#include "specinfer.h"

namespace specinfer_cli {

struct TokenProbability {
  specinfer_token token;
  float log_probability;
};

struct Answer {
  std::string text;
  std::vector<specinfer_token> tokens;
  std::vector<float> log_probabilities;  // one per token, when asked for
  std::vector<std::vector<TokenProbability>> alternatives;  // likewise
  std::string finish_reason;       // "end", "stop_string", "max_tokens", ...
  uint64_t num_prompt_tokens = 0;  // content before the answer
  uint64_t num_rounds = 0;
  double prefill_seconds = 0;
  double decode_seconds = 0;

  bool IsCancelled() const { return finish_reason == "cancelled"; }
  double TokensPerSecond() const;
  double TokensPerRound() const;
};

struct AnswerOptions {
  bool regenerates = false;  // take the last answer back first
  bool streams = true;       // to standard output
};

// Throws Failure. Ctrl-C ends the answer, which then is "cancelled".
Answer MakeAnswer(specinfer_session* session,
                  const specinfer_generation_config& config,
                  const AnswerOptions& options, Interrupt& interrupt);

// Tokens lie `token_size` bytes apart: a newer library's are longer.
const specinfer_generated_token& TokenAt(const specinfer_event& event,
                                         size_t index);

// "128 tokens, 45.1 tokens/s, first token after 0.12 s".
std::string Summary(const Answer& answer);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_ANSWER_H_
