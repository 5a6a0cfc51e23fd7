// Notices that a decoder says the same again and again, so that the window can
// be given up before it is full.
#ifndef SPECINFER_SRC_SPEECH_REPETITION_GUARD_H_
#define SPECINFER_SRC_SPEECH_REPETITION_GUARD_H_

#include <cstdint>
#include <vector>

#include "src/backend/stream.h"
#include "src/speech/speech_tokens.h"

namespace specinfer {

// A loop is a run of the same n-gram at the end of the text, at least
// `min_repeats` times in a row and at least `min_tokens` tokens long.
// Timestamps do not count: those of a loop go on.
//
// The defaults are out of reach of what people say. "No, no, no, no" is 8
// tokens; 48 tokens are 24 times "no," without anything else, 7 s of the
// quickest speech; a sentence of 10 tokens must come 8 times, which fills the
// window. A run of 48 tokens that has 8 periods is always more compressible
// than Whisper's own threshold of 2.4 allows, so the guard says early what the
// compression ratio of the run would say. It is still only a reason to try
// another temperature, never to drop a text.
struct RepetitionGuardOptions {
  int32_t min_repeats = 8;  // 0: never a loop
  int32_t min_tokens = 48;
};

// Not thread-safe. Allocates only when it is made.
class RepetitionGuard {
 public:
  // `max_tokens`: of one window.
  RepetitionGuard(const SpeechTokens& tokens,
                  const RepetitionGuardOptions& options, int32_t max_tokens);

  void Begin();  // another text
  // Adds a sampled token; returns whether the text has become a loop.
  bool Append(Token token);

 private:
  const RepetitionGuardOptions options_;
  const Token end_of_text_;
  std::vector<Token> text_;
  size_t max_tokens_;
  // run_lengths_[p - 1]: how many tokens at the end equal those p before them.
  std::vector<int32_t> run_lengths_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_REPETITION_GUARD_H_
