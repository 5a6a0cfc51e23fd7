// Tokens to text, piece by piece, as well-formed UTF-8 at every moment.
#ifndef SPECINFER_SRC_TEXT_DETOKENIZER_H_
#define SPECINFER_SRC_TEXT_DETOKENIZER_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "src/text/tokenizer.h"

namespace specinfer {

// Not thread-safe; the tokenizer must outlive it. Copyable: a copy continues
// from the same place.
class Detokenizer {
 public:
  explicit Detokenizer(const Tokenizer& tokenizer, bool shows_special = false)
      : tokenizer_(&tokenizer), shows_special_(shows_special) {}

  // Appends the characters that `token` completes. A character's first bytes
  // are held back until its last arrives; bytes that can no longer become a
  // character appear as U+FFFD.
  void Append(Token token, std::string* text);

  // The same for bytes that come from elsewhere.
  void AppendBytes(std::string_view bytes, std::string* text);

  // Ends the text: what is held back appears as U+FFFD.
  void Flush(std::string* text);

  // Bytes held back, at most 3.
  std::string_view held_back() const { return held_back_; }

  void Reset() { held_back_.clear(); }

 private:
  const Tokenizer* tokenizer_;
  bool shows_special_;
  std::string held_back_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_DETOKENIZER_H_
