#include "src/text/byte_pair.h"

#include <algorithm>

namespace specinfer {

BytePair::BytePair(absl::Span<const MergeRule> merges, size_t num_tokens)
    : own_starts_(num_tokens + 2), own_merges_(merges.size()) {
  // Counting sort by the left token; element left + 1 is where its next merge
  // goes, and in the end where the next token's merges begin.
  for (const MergeRule& merge : merges)
    ++own_starts_[static_cast<size_t>(merge.left) + 2];
  for (size_t i = 2; i < own_starts_.size(); ++i)
    own_starts_[i] += own_starts_[i - 1];
  uint32_t rank = 0;
  for (const MergeRule& merge : merges) {
    own_merges_[own_starts_[static_cast<size_t>(merge.left) + 1]++] = {
        merge.right, rank++, merge.merged};
  }
  own_starts_.pop_back();
  for (size_t left = 0; left < num_tokens; ++left) {
    std::sort(own_merges_.begin() + own_starts_[left],
              own_merges_.begin() + own_starts_[left + 1],
              [](const RankedMerge& a, const RankedMerge& b) {
                return a.right != b.right ? a.right < b.right : a.rank < b.rank;
              });
  }
  starts_ = own_starts_;
  merges_ = own_merges_;
}

const RankedMerge* BytePair::Find(Token left, Token right) const {
  if (left < 0 || static_cast<size_t>(left) + 1 >= starts_.size())
    return nullptr;
  const RankedMerge* begin = merges_.data() + starts_[left];
  const RankedMerge* const end =
      merges_.data() + starts_[static_cast<size_t>(left) + 1];
  begin = std::lower_bound(begin, end, right,
                           [](const RankedMerge& merge, Token wanted) {
                             return merge.right < wanted;
                           });
  return begin != end && begin->right == right ? begin : nullptr;
}

void BytePair::Merge(std::vector<Symbol>& symbols, SymbolMerger& merger) const {
  merger.Merge(symbols,
               [this](const Symbol& left, const Symbol& right, Token* merged) {
                 const RankedMerge* found = Find(left.token, right.token);
                 if (found == nullptr) return SymbolMerger::kNoMerge;
                 *merged = found->merged;
                 return found->rank;
               });
}

}  // namespace specinfer
