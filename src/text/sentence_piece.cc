#include "src/text/sentence_piece.h"

#include <algorithm>
#include <bit>

#include "src/text/utf8.h"

namespace specinfer {
namespace {

// Ascending as scores descend. REQUIRES: not NaN.
uint32_t RankOfScore(float score) {
  const uint32_t bits = std::bit_cast<uint32_t>(score + 0.0f);  // one zero
  return (bits & 0x80000000u) != 0 ? bits : ~(bits | 0x80000000u);
}

}  // namespace

SentencePiece::SentencePiece(const Vocabulary& vocabulary,
                             const TextTable& index)
    : SentencePiece(vocabulary, index, {}) {
  inner_pairs_.resize(kNumPairWords);
  for (Token token = 0; static_cast<size_t>(token) < vocabulary.texts.size();
       ++token) {
    if (vocabulary.kinds[static_cast<size_t>(token)] == TokenKind::kNormal)
      NoteInnerPairs(vocabulary.texts[token]);
  }
}

SentencePiece::SentencePiece(const Vocabulary& vocabulary,
                             const TextTable& index,
                             absl::Span<const uint64_t> inner_pairs)
    : vocabulary_(&vocabulary),
      index_(&index),
      inner_pairs_(inner_pairs.begin(), inner_pairs.end()) {
  for (Token token = 0; static_cast<size_t>(token) < vocabulary.texts.size();
       ++token) {
    if (vocabulary.kinds[static_cast<size_t>(token)] != TokenKind::kNormal)
      continue;
    max_token_bytes_ = std::max(
        max_token_bytes_, static_cast<int32_t>(vocabulary.texts[token].size()));
  }
}

void SentencePiece::NoteInnerPairs(std::string_view text) {
  char32_t left = 0;
  for (size_t position = 0; position < text.size();) {
    const Utf8Step step = FirstUtf8Step(text.substr(position));
    if (step.kind != Utf8Step::Kind::kCharacter)
      return;  // no text has such a token in it
    const char32_t right =
        DecodeUtf8Character(text.substr(position, step.num_bytes));
    if (position > 0)
      inner_pairs_[PairBit(left, right) / 64] |= uint64_t{1}
                                                 << (PairBit(left, right) % 64);
    left = right;
    position += step.num_bytes;
  }
}

void SentencePiece::Merge(std::string_view text, std::vector<Symbol>& symbols,
                          SymbolMerger& merger) const {
  merger.Merge(
      symbols, [&](const Symbol& left, const Symbol& right, Token* merged) {
        const int32_t num_bytes = right.end - left.begin;
        if (num_bytes > max_token_bytes_) return SymbolMerger::kNoMerge;
        *merged = index_->Find(text.substr(static_cast<size_t>(left.begin),
                                           static_cast<size_t>(num_bytes)));
        if (*merged < 0) return SymbolMerger::kNoMerge;
        return RankOfScore(vocabulary_->scores[static_cast<size_t>(*merged)]);
      });
}

}  // namespace specinfer
