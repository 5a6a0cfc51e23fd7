#include "src/session/answer_text.h"

#include <algorithm>
#include <utility>

namespace specinfer {
namespace {

std::vector<std::string> WithoutEmpty(std::vector<std::string> strings) {
  strings.erase(std::remove_if(strings.begin(), strings.end(),
                               [](const std::string& s) { return s.empty(); }),
                strings.end());
  return strings;
}

}  // namespace

void AnswerText::Reset(std::vector<std::string> stop_strings,
                       std::vector<std::string> banned_strings) {
  stop_strings_ = WithoutEmpty(std::move(stop_strings));
  banned_strings_ = WithoutEmpty(std::move(banned_strings));
  bytes_.clear();
  ends_.clear();
  num_old_bytes_ = 0;
}

void AnswerText::Append(std::string_view bytes) {
  num_old_bytes_ = bytes_.size();
  bytes_ += bytes;
  ends_.push_back(bytes_.size());
}

size_t AnswerText::FindNew(const std::vector<std::string>& strings) const {
  size_t first = kNone;
  for (const std::string& string : strings) {
    const size_t overlap = std::min(num_old_bytes_, string.size() - 1);
    first = std::min(first, bytes_.find(string, num_old_bytes_ - overlap));
  }
  return first;
}

size_t AnswerText::TokenAt(size_t offset) const {
  return static_cast<size_t>(
      std::upper_bound(ends_.begin(), ends_.end(), offset) - ends_.begin());
}

void AnswerText::Truncate(size_t num_tokens) {
  ends_.resize(num_tokens);
  bytes_.resize(num_tokens == 0 ? 0 : ends_.back());
  num_old_bytes_ = bytes_.size();
}

size_t AnswerText::OpenLength(const std::vector<std::string>& strings) const {
  size_t longest = 0;
  for (const std::string& string : strings) {
    for (size_t length = std::min(string.size() - 1, bytes_.size());
         length > longest; --length) {
      if (std::string_view(bytes_).substr(bytes_.size() - length) ==
          std::string_view(string).substr(0, length)) {
        longest = length;
      }
    }
  }
  return longest;
}

size_t AnswerText::SettledBytes(bool is_done) const {
  if (is_done) return bytes_.size();
  const size_t num_open =
      std::max(OpenLength(stop_strings_), OpenLength(banned_strings_));
  const size_t num_settled = bytes_.size() - num_open;
  if (banned_strings_.empty()) return num_settled;
  const size_t num_tokens = TokensWithin(num_settled);
  return num_tokens == 0 ? 0 : ends_[num_tokens - 1];
}

size_t AnswerText::TokensWithin(size_t num_bytes) const {
  return static_cast<size_t>(
      std::upper_bound(ends_.begin(), ends_.end(), num_bytes) - ends_.begin());
}

}  // namespace specinfer
