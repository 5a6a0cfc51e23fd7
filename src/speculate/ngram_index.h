// Where a text's end was seen before: hash chains over the last tokens, as in
// LZ77 (RFC 1951, section 4).
#ifndef SPECINFER_SRC_SPECULATE_NGRAM_INDEX_H_
#define SPECINFER_SRC_SPECULATE_NGRAM_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/backend/stream.h"
#include "src/base/memory.h"

namespace specinfer {

struct NgramMatch {
  int32_t position;  // of the token that follows the match
  int32_t length;    // how many tokens before it equal the text's last ones
};

// A growing list of tokens. Takes 12 bytes a token and up to 8 more for the
// hash heads, once. Readers may share it while nobody changes it.
//
// Each order k has chains: the places whose last k tokens hash alike, the
// latest first. Places are added and removed at the end only, so a chain's head
// is always its latest place, and removal is the exact inverse of addition.
class NgramIndex {
 public:
  // One token says little about the next, but is seldom new. Rates that are
  // learnt keep it from costing more than it brings: replayed on code, prose
  // and edits in a vocabulary of 151,936, matches of one token added up to a
  // tenth to the speed that a pass's cost by rows predicts, and took none away.
  static constexpr int32_t kMinMatch = 1;
  // Longer matches are not told apart: nearly all of them are right.
  static constexpr int32_t kMaxMatch = 32;
  // Places looked at in a chain: bounds a search to some microseconds where a
  // pair of tokens is everywhere. The chains of the greater order find the long
  // matches that the shorter order's bound would hide.
  static constexpr int32_t kMaxLinks = 64;

  // What Create will take.
  static uint64_t PlanBytes(int32_t max_tokens);
  // Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<NgramIndex> Create(Memory& memory, int32_t max_tokens);
  absl::StatusOr<NgramIndex> Clone() const;

  // Adds as many of `tokens` as there is room for, and returns how many: O(1)
  // each. A negative token matches no text.
  size_t Append(absl::Span<const Token> tokens);
  // Keeps the first `num_tokens`, or all if there are fewer: O(1) for each one
  // removed.
  void Truncate(size_t num_tokens);
  // Empty again, and every byte overwritten.
  void Wipe();

  // Replaces `matches` by the places that match the end of `text`, up to
  // `max_matches`: the longest first (up to kMaxMatch), then the latest. `text`
  // may be what the index holds: its own end, which nothing follows, is no
  // match. Allocates nothing once `matches` has room for max_matches + 1.
  void FindMatches(absl::Span<const Token> text, size_t max_matches,
                   std::vector<NgramMatch>* matches,
                   int32_t max_links = kMaxLinks) const;

  absl::Span<const Token> tokens() const { return {tokens_, size_}; }
  size_t size() const { return size_; }
  size_t max_tokens() const { return max_tokens_; }

 private:
  static constexpr size_t kOrders[] = {4, kMinMatch};  // the greater first
  static constexpr size_t kNumOrders = std::size(kOrders);
  static uint32_t HeadBits(size_t max_tokens);
  // Numbers of places are one more than where their last token is; 0: none.
  struct Chains {
    uint32_t* heads;     // [num_heads], by hash
    uint32_t* previous;  // [max_tokens], by place: the one before with its hash
  };

  NgramIndex() = default;
  // The hash of the order's tokens that end with `last`.
  size_t HashOf(size_t order, const Token* last) const;
  int32_t MatchLength(absl::Span<const Token> text, size_t place) const;

  Memory* memory_ = nullptr;
  Block block_;  // all that follows lies in it
  Token* tokens_ = nullptr;
  Chains chains_[kNumOrders] = {};
  size_t size_ = 0;
  size_t max_tokens_ = 0;
  uint32_t head_bits_ = 0;  // num_heads = 2^head_bits
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_NGRAM_INDEX_H_
