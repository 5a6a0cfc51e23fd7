// SentencePiece's merging by score.
#ifndef SPECINFER_SRC_TEXT_SENTENCE_PIECE_H_
#define SPECINFER_SRC_TEXT_SENTENCE_PIECE_H_

#include <string_view>
#include <vector>

#include "absl/types/span.h"

#include "src/text/symbol_merger.h"
#include "src/text/text_table.h"
#include "src/text/vocabulary.h"

namespace specinfer {

// Immutable and thread-safe. The vocabulary and the index of its normal tokens
// must outlive it and stay where they are.
class SentencePiece {
 public:
  SentencePiece(const Vocabulary& vocabulary, const TextTable& index);
  // With what inner_pairs() of another gave; kNumPairWords of them.
  SentencePiece(const Vocabulary& vocabulary, const TextTable& index,
                absl::Span<const uint64_t> inner_pairs);

  static constexpr size_t kNumPairWords = (size_t{1} << 20) / 64;
  absl::Span<const uint64_t> inner_pairs() const { return inner_pairs_; }

  // True where no token holds these two characters side by side, so that no
  // merge can cross. May be false without need, never true.
  bool IsBoundary(char32_t left, char32_t right) const {
    const uint32_t bit = PairBit(left, right);
    return (inner_pairs_[bit / 64] >> (bit % 64) & 1) == 0;
  }

  // Merges neighbours whose joint text is a token, highest score first, then
  // leftmost.
  void Merge(std::string_view text, std::vector<Symbol>& symbols,
             SymbolMerger& merger) const;

 private:
  static uint32_t PairBit(char32_t left, char32_t right) {
    return (left * 0x9E3779B1u ^ right * 0x85EBCA77u) >> 12;
  }
  void NoteInnerPairs(std::string_view text);

  const Vocabulary* vocabulary_;
  const TextTable* index_;
  int32_t max_token_bytes_ = 0;
  std::vector<uint64_t> inner_pairs_;  // [kNumPairWords]
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_SENTENCE_PIECE_H_
