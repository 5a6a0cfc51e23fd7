// Byte-pair encoding of one piece of text.
#ifndef SPECINFER_SRC_TEXT_BYTE_PAIR_H_
#define SPECINFER_SRC_TEXT_BYTE_PAIR_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "src/text/symbol_merger.h"
#include "src/text/vocabulary.h"

namespace specinfer {

// The merges of one left token stand side by side, ascending by the right.
struct RankedMerge {
  Token right;
  uint32_t rank;
  Token merged;
};

// Immutable and thread-safe.
class BytePair {
 public:
  // Of two merges of the same pair the first counts.
  // REQUIRES: every token is below `num_tokens`.
  BytePair(absl::Span<const MergeRule> merges, size_t num_tokens);
  // What the accessors of another gave; both must outlive this.
  BytePair(absl::Span<const uint32_t> starts,
           absl::Span<const RankedMerge> merges)
      : starts_(starts), merges_(merges) {}
  BytePair(const BytePair&) = delete;
  BytePair& operator=(const BytePair&) = delete;

  // Merges what `symbols` holds, lowest rank first, then leftmost. Symbols
  // without token merge with nothing.
  void Merge(std::vector<Symbol>& symbols, SymbolMerger& merger) const;

  // [num_tokens + 1]: where each left token's merges begin.
  absl::Span<const uint32_t> starts() const { return starts_; }
  absl::Span<const RankedMerge> merges() const { return merges_; }

 private:
  // Null where the two do not merge.
  const RankedMerge* Find(Token left, Token right) const;

  std::vector<uint32_t> own_starts_;
  std::vector<RankedMerge> own_merges_;
  absl::Span<const uint32_t> starts_;
  absl::Span<const RankedMerge> merges_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_BYTE_PAIR_H_
