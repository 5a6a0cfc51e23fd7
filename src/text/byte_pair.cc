#include "src/text/byte_pair.h"

namespace specinfer {

BytePair::BytePair(absl::Span<const MergeRule> merges) {
  ranked_.reserve(merges.size());
  uint32_t rank = 0;
  for (const MergeRule& merge : merges) {
    ranked_.try_emplace(Key(merge.left, merge.right),
                        Ranked{rank++, merge.merged});
  }
}

void BytePair::Merge(std::vector<Symbol>& symbols, SymbolMerger& merger) const {
  merger.Merge(symbols,
               [this](const Symbol& left, const Symbol& right, Token* merged) {
                 const auto found = ranked_.find(Key(left.token, right.token));
                 if (found == ranked_.end()) return SymbolMerger::kNoMerge;
                 *merged = found->second.merged;
                 return found->second.rank;
               });
}

}  // namespace specinfer
