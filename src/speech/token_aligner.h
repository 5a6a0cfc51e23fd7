// When each token of a window is said: one more pass of the decoder over its
// text, whose alignment heads look at the sound of the token to come.
#ifndef SPECINFER_SRC_SPEECH_TOKEN_ALIGNER_H_
#define SPECINFER_SRC_SPEECH_TOKEN_ALIGNER_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/session/generator.h"
#include "src/session/model.h"
#include "src/speech/speech_prompt.h"
#include "src/speech/speech_tokens.h"
#include "src/speech/word_times.h"

namespace specinfer {

struct AlignmentRequest {
  absl::Span<const Token> text;  // text tokens that were said, in order
  Token language = -1;           // as SpeechPromptOptions
  SpeechTask task = SpeechTask::kTranscribe;
  int32_t num_frames = 0;  // of the window, that hold audio
};

// Not thread-safe.
class TokenAligner {
 public:
  // Both must outlive it.
  TokenAligner(const Model& model, const SpeechTokens& tokens);

  // Errors: FAILED_PRECONDITION (nobody says which heads are alignment heads).
  absl::Status CheckHeads() const;

  // `sequence`: bound to what was encoded; its text is overwritten. The result
  // lives until the next call.
  // Errors: FAILED_PRECONDITION (as CheckHeads), INVALID_ARGUMENT (a text
  // without room in the context), CANCELLED, RESOURCE_EXHAUSTED.
  absl::StatusOr<TokenTimes> Align(const AlignmentRequest& request,
                                   Generator& generator, Sequence& sequence,
                                   const PassControl& control);

 private:
  absl::Status CheckText(const AlignmentRequest& request) const;
  // Of the rows from `first` on.
  absl::Status Forward(int32_t first, const CrossWeights& cross,
                       Generator& generator, Sequence& sequence,
                       const PassControl& control);

  const Model& model_;
  const SpeechTokens& tokens_;
  std::vector<uint64_t> text_tokens_;  // bit set over the vocabulary

  // This window.
  std::vector<Token> rows_;  // start of transcript to end of text
  int32_t first_row_ = 0;    // that of <|notimestamps|>
  std::vector<int32_t> asked_rows_;
  std::vector<HeadQuery> queries_;
  std::vector<float> logits_;         // of each text token
  std::vector<double> log_sum_exps_;  // where it is chosen
  std::vector<int32_t> positions_;
  std::vector<float> probabilities_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_TOKEN_ALIGNER_H_
