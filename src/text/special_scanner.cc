#include "src/text/special_scanner.h"

namespace specinfer {

void SpecialScanner::Add(std::string_view text, Token token, bool is_control) {
  uint32_t node = 0;
  for (const char character : text) {
    const uint64_t key = uint64_t{node} * 256 + static_cast<uint8_t>(character);
    const auto [child, is_new] =
        children_.try_emplace(key, static_cast<uint32_t>(nodes_.size()));
    if (is_new) nodes_.emplace_back();
    node = child->second;
  }
  (is_control ? control_first_bytes_ : first_bytes_)
      .set(static_cast<uint8_t>(text[0]));
  // Of two tokens with one text, the one that is always found counts.
  if (nodes_[node].token < 0 || !is_control) nodes_[node] = {token, is_control};
}

SpecialScanner::Match SpecialScanner::Find(std::string_view text, size_t begin,
                                           bool with_control) const {
  const std::bitset<256> first =
      with_control ? first_bytes_ | control_first_bytes_ : first_bytes_;
  for (; begin < text.size(); ++begin) {
    if (!first[static_cast<uint8_t>(text[begin])]) continue;
    Match match = {begin, 0, -1};
    uint32_t node = 0;
    for (size_t end = begin; end < text.size();) {
      const auto child = children_.find(uint64_t{node} * 256 +
                                        static_cast<uint8_t>(text[end]));
      if (child == children_.end()) break;
      node = child->second;
      ++end;
      if (nodes_[node].token >= 0 &&
          (with_control || !nodes_[node].is_control)) {
        match.num_bytes = end - begin;
        match.token = nodes_[node].token;
      }
    }
    if (match.token >= 0) return match;
  }
  return {text.size(), 0, -1};
}

}  // namespace specinfer
