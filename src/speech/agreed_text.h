// How much of a text that grows with the sound is settled: what two hypotheses
// in a row agree about (LocalAgreement-2: Machacek, Dabre and Bojar, Turning
// Whisper into a Real-Time Transcription System, 2023).
#ifndef SPECINFER_SRC_SPEECH_AGREED_TEXT_H_
#define SPECINFER_SRC_SPEECH_AGREED_TEXT_H_

#include <cstddef>
#include <string_view>
#include <vector>

#include "absl/types/span.h"

#include "src/text/tokenizer.h"

namespace specinfer {

// Of one stretch of speech. Each hypothesis begins with what was agreed before
// it, so what is agreed never changes, it only grows.
class AgreedText {
 public:
  // `tokenizer` must outlive it.
  explicit AgreedText(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // Other speech.
  void Begin();

  // What is heard now, text tokens alone: whole words that the last hypothesis
  // had in the same place are agreed, but for the last two words, which may go
  // on. REQUIRES: tokens begin with agreed().
  void Add(absl::Span<const Token> tokens, std::string_view language_code);

  absl::Span<const Token> hypothesis() const { return hypothesis_; }
  absl::Span<const Token> agreed() const {
    return absl::MakeConstSpan(hypothesis_).first(num_agreed_);
  }

 private:
  const Tokenizer& tokenizer_;
  std::vector<Token> hypothesis_;
  size_t num_agreed_ = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_AGREED_TEXT_H_
