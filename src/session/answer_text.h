// The bytes of an answer as its tokens arrive: where it must stop, what it must
// take back, what may be shown.
#ifndef SPECINFER_SRC_SESSION_ANSWER_TEXT_H_
#define SPECINFER_SRC_SESSION_ANSWER_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace specinfer {

class AnswerText {
 public:
  static constexpr size_t kNone = std::string::npos;

  // Starts over. Empty strings are ignored.
  void Reset(std::vector<std::string> stop_strings,
             std::vector<std::string> banned_strings);

  // The next token's bytes.
  void Append(std::string_view bytes);

  // Where the first stop string or banned string that the last Append completed
  // begins, or kNone.
  size_t FindStop() const { return FindNew(stop_strings_); }
  size_t FindBanned() const { return FindNew(banned_strings_); }

  // The token whose bytes hold `offset`.
  size_t TokenAt(size_t offset) const;
  // Takes all tokens from `num_tokens` on back.
  // REQUIRES: none of their bytes were settled.
  void Truncate(size_t num_tokens);
  // Cuts the text, not the tokens, at a byte.
  void EndAt(size_t offset) { bytes_.resize(offset); }

  // How many bytes can be shown: those that no stop string or banned string may
  // still claim. Where tokens may be taken back it is whole tokens. With
  // `is_done` all of them.
  size_t SettledBytes(bool is_done) const;
  // How many tokens lie wholly within the first `num_bytes` bytes.
  size_t TokensWithin(size_t num_bytes) const;

  std::string_view bytes() const { return bytes_; }
  size_t num_tokens() const { return ends_.size(); }

 private:
  size_t FindNew(const std::vector<std::string>& strings) const;
  // Length of the longest end of the text that begins one of `strings`.
  size_t OpenLength(const std::vector<std::string>& strings) const;

  std::vector<std::string> stop_strings_;
  std::vector<std::string> banned_strings_;
  std::string bytes_;
  std::vector<size_t> ends_;  // of each token, in bytes_
  size_t num_old_bytes_ = 0;  // before the last Append
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SESSION_ANSWER_TEXT_H_
