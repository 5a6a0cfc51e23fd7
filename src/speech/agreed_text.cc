#include "src/speech/agreed_text.h"

#include <algorithm>

#include "src/speech/word_split.h"

namespace specinfer {
namespace {

// The last words of a hypothesis are about sound that goes on: two in a row
// often get them wrong in the same way.
constexpr size_t kUnsettledWords = 2;

}  // namespace

void AgreedText::Begin() {
  hypothesis_.clear();
  num_agreed_ = 0;
}

void AgreedText::Add(absl::Span<const Token> tokens,
                     std::string_view language_code) {
  const auto [mine, theirs] = std::mismatch(
      hypothesis_.begin(), hypothesis_.end(), tokens.begin(), tokens.end());
  const size_t num_equal = static_cast<size_t>(theirs - tokens.begin());
  const std::vector<TokenWord> words =
      SplitIntoWords(tokenizer_, language_code, tokens);
  size_t num_agreed = 0;
  for (size_t i = 0; i + kUnsettledWords < words.size(); ++i) {
    const size_t end = num_agreed + words[i].num_tokens;
    // The word ends where the next one begins, which must be there as well.
    if (end + 1 > num_equal) break;
    num_agreed = end;
  }
  num_agreed_ = std::max(num_agreed_, num_agreed);
  hypothesis_.assign(tokens.begin(), tokens.end());
}

}  // namespace specinfer
