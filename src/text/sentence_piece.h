// SentencePiece's merging by score.
#ifndef SPECINFER_SRC_TEXT_SENTENCE_PIECE_H_
#define SPECINFER_SRC_TEXT_SENTENCE_PIECE_H_

#include <string_view>
#include <vector>

#include "src/text/symbol_merger.h"
#include "src/text/vocabulary.h"

namespace specinfer {

// Immutable and thread-safe. The vocabulary and the index of its normal tokens
// must outlive it and stay where they are.
class SentencePiece {
 public:
  SentencePiece(const Vocabulary& vocabulary, const TokenIndex& index);

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
  static constexpr uint32_t kNumPairBits = 1 << 20;
  static uint32_t PairBit(char32_t left, char32_t right) {
    return (left * 0x9E3779B1u ^ right * 0x85EBCA77u) >> 12;
  }
  void NoteInnerPairs(std::string_view text);

  const Vocabulary* vocabulary_;
  const TokenIndex* index_;
  int32_t max_token_bytes_ = 0;
  std::vector<uint64_t> inner_pairs_;  // kNumPairBits bits
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_SENTENCE_PIECE_H_
