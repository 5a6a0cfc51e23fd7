// Which tokens make a word.
#ifndef SPECINFER_SRC_SPEECH_WORD_SPLIT_H_
#define SPECINFER_SRC_SPEECH_WORD_SPLIT_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"

#include "src/text/tokenizer.h"

namespace specinfer {

// A word, with the space before it, and how many of the tokens make it.
struct TokenWord {
  std::string text;
  size_t num_tokens = 0;
};

// Words begin at spaces and at punctuation, or, for languages without spaces
// between words, at every token that begins a character. `tokens` are text
// only. Ill-formed bytes become U+FFFD.
std::vector<TokenWord> SplitIntoWords(const Tokenizer& tokenizer,
                                      std::string_view language_code,
                                      absl::Span<const Token> tokens);

// Without white space, as Unicode has it, at either end.
std::string_view StripSpaces(std::string_view text);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_WORD_SPLIT_H_
