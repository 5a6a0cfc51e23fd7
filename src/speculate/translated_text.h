// A text in the tokens of another vocabulary.
#ifndef SPECINFER_SRC_SPECULATE_TRANSLATED_TEXT_H_
#define SPECINFER_SRC_SPECULATE_TRANSLATED_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/text/tokenizer.h"

namespace specinfer {

// What a control token of one vocabulary is in another: the control token with
// the same text; else what ends a text there for one that does here, and begins
// it for one that does; else -1.
Token TranslateControl(const Tokenizer& from, Token token, const Tokenizer& to);

// Keeps the end of a growing text in the other vocabulary, and encodes what is
// new of it with what stood since the last word began: a word that begins with
// a blank is where no tokenizer's rules cross. A text without such words is cut
// every few dozen tokens, where a character ends if one does. Control tokens
// that the other vocabulary lacks are left out. A character's first bytes are
// byte tokens until the others are there.
//
// Work per call is bounded, whatever the length of the text. Nothing is
// allocated but what Tokenizer::Tokenize takes for itself, and scratch whose
// size depends on how many bytes a few dozen tokens stand for. Not thread-safe.
//
// Invariants, with `boundary` for a place between two tokens of the text where
// the encoding of what stands before does not depend on what follows:
// 1. boundaries_[i - first_] is how many translated tokens stand before token i
//    of the text if i is a boundary, for i in [first_, last_boundary_]; else
//    -1.
// 2. Tokens [first_, num_followed_) are translated.
class TranslatedText {
 public:
  // So many tokens of a text that was not followed are read. They become at
  // most kMaxReadBack others: else fewer are read.
  static constexpr size_t kReadBack = 128;
  static constexpr size_t kMaxReadBack = 2 * kReadBack;

  // Keeps up to `max_tokens`; when it is full it begins anew as with a text
  // that was not followed. The tokenizers and the memory must outlive it.
  // Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<TranslatedText> Create(Memory& memory,
                                               const Tokenizer& from,
                                               const Tokenizer& to,
                                               int32_t max_tokens);
  absl::StatusOr<TranslatedText> Copy() const;

  // Goes on to the end of `text`, which begins with what was followed so far.
  // Returns how many of the tokens that were there are left as they were.
  // Errors: INTERNAL, RESOURCE_EXHAUSTED; the tokens are as they were, or none.
  absl::StatusOr<size_t> Follow(absl::Span<const Token> text);
  // The text has been cut to `num_tokens`.
  void Rollback(size_t num_tokens);

  absl::Span<const Token> tokens() const { return {translated(), size_}; }
  // Tokens of the other vocabulary for one of the text.
  double tokens_per_token() const;
  // How many tokens there will be when it follows a text of `num_tokens`.
  size_t PredictSize(size_t num_tokens) const;

 private:
  TranslatedText(Memory& memory, const Tokenizer& from, const Tokenizer& to,
                 size_t max_tokens)
      : memory_(&memory), from_(&from), to_(&to), max_tokens_(max_tokens) {}

  Token* translated() const { return reinterpret_cast<Token*>(block_.data()); }
  int32_t& boundary(size_t index) {
    return reinterpret_cast<int32_t*>(
        block_.data())[max_tokens_ + index - first_];
  }
  absl::Status GoOn(absl::Span<const Token> text);
  absl::Status BeginAnew(absl::Span<const Token> text);
  size_t FirstWord(absl::Span<const Token> text, size_t first) const;
  absl::Status Encode(absl::Span<const Token> text);
  absl::Status EncodeWord();
  void MarkBoundary(size_t index);
  bool EndsWord(std::string_view next, size_t num_tokens) const;
  size_t Take(size_t num_tokens);
  void Clear();

  Memory* memory_;
  const Tokenizer* from_;
  const Tokenizer* to_;
  size_t max_tokens_;
  Block block_;  // [max_tokens_] tokens, then [max_tokens_ + 1] boundaries

  size_t first_ = 0;
  size_t num_followed_ = 0;
  size_t last_boundary_ = 0;
  size_t size_ = 0;  // of the translated tokens

  // What Encode makes of the text from the last boundary on.
  size_t base_ = 0;  // translated tokens before it
  size_t new_boundary_ = 0;
  std::vector<Token> encoded_;
  std::string word_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_TRANSLATED_TEXT_H_
