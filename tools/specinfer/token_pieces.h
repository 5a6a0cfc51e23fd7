// TokenPieces: texts of tokens for a page, each kept once.
#ifndef SPECINFER_TOOLS_SPECINFER_TOKEN_PIECES_H_
#define SPECINFER_TOOLS_SPECINFER_TOKEN_PIECES_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "specinfer.h"

namespace specinfer_cli {

class TokenPieces {
 public:
  // `model` must outlive it.
  explicit TokenPieces(const specinfer_model* model) : model_(model) {}

  // Index among texts() of one token by itself; bytes that are no UTF-8
  // character by themselves are written as <F0>.
  size_t IndexOf(specinfer_token token);
  // Index of any text.
  size_t IndexOf(const std::string& text);

  // The bytes of one token.
  std::string BytesOf(specinfer_token token) const;

  const std::vector<std::string>& texts() const { return texts_; }

 private:
  const specinfer_model* const model_;
  std::vector<std::string> texts_;
  std::unordered_map<std::string, size_t> indices_;
  std::unordered_map<specinfer_token, size_t> indices_of_tokens_;
};

// Bytes of the whole UTF-8 characters at the front of `bytes`: less than all of
// them only where the last character is cut short.
size_t WholeCharacters(std::string_view bytes);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_TOKEN_PIECES_H_
