// Whisper's special tokens, found by their texts, and the prompt made of them.
#ifndef SPECINFER_SRC_SPEECH_SPEECH_TOKENS_H_
#define SPECINFER_SRC_SPEECH_SPEECH_TOKENS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/speech/languages.h"
#include "src/text/tokenizer.h"

namespace specinfer {

inline constexpr double kSecondsPerTimestamp = 0.02;

struct LanguageToken {
  Token token = -1;
  const Language* language = nullptr;
};

// Ids ascend in this order: text, end of text, start of transcript, languages,
// tasks and the other special tokens, no-timestamps, timestamps. Immutable and
// thread-safe; keeps nothing of the tokenizer.
class SpeechTokens {
 public:
  // `vocabulary_size`: of the model's logits. The tokenizer may know fewer:
  // some files leave the timestamps out.
  // Errors: INVALID_ARGUMENT, naming the token that is missing or out of place.
  static absl::StatusOr<SpeechTokens> Create(const Tokenizer& tokenizer,
                                             int32_t vocabulary_size);

  int32_t vocabulary_size() const { return vocabulary_size_; }
  Token end_of_text() const { return end_of_text_; }
  Token start_of_transcript() const { return start_of_transcript_; }
  Token translate() const { return translate_; }
  Token transcribe() const { return transcribe_; }
  Token start_of_previous() const { return start_of_previous_; }
  Token no_speech() const { return no_speech_; }
  Token no_timestamps() const { return no_timestamps_; }

  Token timestamp_begin() const { return no_timestamps_ + 1; }
  int32_t num_timestamps() const {
    return vocabulary_size_ - timestamp_begin();
  }

  bool IsText(Token token) const { return token >= 0 && token < end_of_text_; }
  bool IsTimestamp(Token token) const {
    return token >= timestamp_begin() && token < vocabulary_size_;
  }
  // From the beginning of the window. REQUIRES: IsTimestamp(token).
  double Seconds(Token token) const {
    return (token - timestamp_begin()) * kSecondsPerTimestamp;
  }
  // The nearest there is.
  Token Timestamp(double seconds) const;

  // English-only models take neither a language nor a task.
  bool is_multilingual() const { return !languages_.empty(); }
  absl::Span<const LanguageToken> languages() const { return languages_; }
  Token FindLanguageToken(std::string_view code) const;  // -1: none
  const Language* FindTokenLanguage(Token token) const;  // null: none

  // Never sampled, ascending: symbols that are not spoken (speaker tags, music,
  // brackets) and the special tokens that begin a text.
  absl::Span<const Token> suppressed() const { return suppressed_; }
  // Not sampled first, ascending: the lone space, where it is one token, and
  // the end.
  absl::Span<const Token> suppressed_first() const { return suppressed_first_; }

 private:
  SpeechTokens() = default;
  absl::Status FindSpecialTokens(const Tokenizer& tokenizer);
  void FindLanguages(const Tokenizer& tokenizer);
  absl::Status FindSuppressed(const Tokenizer& tokenizer);

  int32_t vocabulary_size_ = 0;
  Token end_of_text_ = -1;
  Token start_of_transcript_ = -1;
  Token translate_ = -1;
  Token transcribe_ = -1;
  Token start_of_lm_ = -1;
  Token start_of_previous_ = -1;
  Token no_speech_ = -1;
  Token no_timestamps_ = -1;
  std::vector<LanguageToken> languages_;  // ascending by token
  std::vector<Token> suppressed_;
  std::vector<Token> suppressed_first_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_SPEECH_TOKENS_H_
