// Finds special tokens in text.
#ifndef SPECINFER_SRC_TEXT_SPECIAL_SCANNER_H_
#define SPECINFER_SRC_TEXT_SPECIAL_SCANNER_H_

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"

#include "src/text/token_texts.h"

namespace specinfer {

// Immutable and thread-safe once filled. A tree of bytes: time does not depend
// on how many special tokens there are.
class SpecialScanner {
 public:
  static constexpr size_t kMaxTextBytes = 1024;  // bounds the time of a scan

  struct Match {
    size_t begin;  // text.size() where there is none
    size_t num_bytes;
    Token token;  // -1
  };

  SpecialScanner() : nodes_(1) {}

  // `is_control`: found only when asked.
  // REQUIRES: 0 < text.size() <= kMaxTextBytes.
  void Add(std::string_view text, Token token, bool is_control);

  // The leftmost special token at or after `begin`, the longest of those that
  // start there.
  Match Find(std::string_view text, size_t begin, bool with_control) const;

 private:
  struct Node {
    Token token = -1;
    bool is_control = false;
  };

  std::vector<Node> nodes_;  // the root first
  absl::flat_hash_map<uint64_t, uint32_t>
      children_;                  // node · 256 + byte -> node
  std::bitset<256> first_bytes_;  // of user-defined tokens
  std::bitset<256> control_first_bytes_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_SPECIAL_SCANNER_H_
