// One text for each token, in one block of memory, and the way back from a text
// to its token.
#ifndef SPECINFER_SRC_TEXT_TOKEN_TEXTS_H_
#define SPECINFER_SRC_TEXT_TOKEN_TEXTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/types/span.h"

#include "src/base/text.h"

namespace specinfer {

using Token = int32_t;

class TokenTexts {
 public:
  size_t size() const { return ends_.size(); }
  size_t num_bytes() const { return bytes_.size(); }

  // REQUIRES: 0 <= token < size().
  std::string_view operator[](Token token) const {
    const size_t begin = token == 0 ? 0 : ends_[static_cast<size_t>(token) - 1];
    return std::string_view(bytes_).substr(
        begin, ends_[static_cast<size_t>(token)] - begin);
  }

  void Reserve(size_t num_tokens) { ends_.reserve(num_tokens); }

  // All texts side by side, and where each ends.
  std::string_view bytes() const { return bytes_; }
  absl::Span<const uint32_t> ends() const { return ends_; }
  // REQUIRES: `ends` ascend, and the last is the size of `bytes`.
  void Assign(std::string_view bytes, absl::Span<const uint32_t> ends) {
    bytes_.assign(bytes);
    ends_.assign(ends.begin(), ends.end());
  }

  // The text of token size().
  // REQUIRES: num_bytes() stays below 2^32.
  void Append(std::string_view text) {
    bytes_.append(text);
    ends_.push_back(static_cast<uint32_t>(bytes_.size()));
  }

 private:
  std::string bytes_;
  std::vector<uint32_t> ends_;
};

// Finds tokens by text. The texts must outlive it and stay where they are.
class TokenIndex {
 public:
  explicit TokenIndex(const TokenTexts& texts)
      : tokens_(0, Hash{&texts}, Equal{&texts}) {}

  void Reserve(size_t num_tokens) { tokens_.reserve(num_tokens); }

  // Returns the token that already has this token's text, or -1 and adds the
  // token.
  Token Add(Token token) {
    const auto [place, is_new] = tokens_.insert(token);
    return is_new ? -1 : *place;
  }

  // -1 where there is none.
  Token Find(std::string_view text) const {
    const auto place = tokens_.find(text);
    return place == tokens_.end() ? -1 : *place;
  }

 private:
  struct Hash {
    using is_transparent = void;
    const TokenTexts* texts;
    size_t operator()(std::string_view text) const {
      return absl::Hash<absl::string_view>()(ToAbsl(text));
    }
    size_t operator()(Token token) const { return (*this)((*texts)[token]); }
  };
  struct Equal {
    using is_transparent = void;
    const TokenTexts* texts;
    bool operator()(Token a, Token b) const {
      return (*texts)[a] == (*texts)[b];
    }
    bool operator()(Token a, std::string_view b) const {
      return (*texts)[a] == b;
    }
    bool operator()(std::string_view a, Token b) const {
      return a == (*texts)[b];
    }
  };

  absl::flat_hash_set<Token, Hash, Equal> tokens_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_TOKEN_TEXTS_H_
