// Byte-pair encoding of one piece of text.
#ifndef SPECINFER_SRC_TEXT_BYTE_PAIR_H_
#define SPECINFER_SRC_TEXT_BYTE_PAIR_H_

#include <array>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"

#include "src/text/symbol_merger.h"
#include "src/text/vocabulary.h"

namespace specinfer {

// Immutable and thread-safe.
class BytePair {
 public:
  // Of two merges of the same pair the first counts.
  explicit BytePair(absl::Span<const MergeRule> merges);

  // Merges what `symbols` holds, lowest rank first, then leftmost. Symbols
  // without token merge with nothing.
  void Merge(std::vector<Symbol>& symbols, SymbolMerger& merger) const;

 private:
  struct Ranked {
    uint32_t rank;
    Token merged;
  };

  static uint64_t Key(Token left, Token right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 |
           static_cast<uint32_t>(right);
  }

  absl::flat_hash_map<uint64_t, Ranked> ranked_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_BYTE_PAIR_H_
