// Merges neighbours until no rule applies: the loop that byte-pair encoding and
// SentencePiece share.
#ifndef SPECINFER_SRC_TEXT_SYMBOL_MERGER_H_
#define SPECINFER_SRC_TEXT_SYMBOL_MERGER_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"

#include "src/text/token_texts.h"

namespace specinfer {

// A stretch of text and its token, or -1.
struct Symbol {
  int32_t begin, end;
  Token token;
};

// Holds scratch memory; one per call or thread.
class SymbolMerger {
 public:
  static constexpr uint32_t kNoMerge = UINT32_MAX;

  // The rank of the merge of two neighbours (lower goes first, then the
  // leftmost) and the token it makes; kNoMerge where they do not merge. Must
  // depend on its arguments alone.
  using Rule = absl::FunctionRef<uint32_t(const Symbol& left,
                                          const Symbol& right, Token* merged)>;

  // REQUIRES: symbols lie side by side, in order. O(n log n).
  void Merge(std::vector<Symbol>& symbols, Rule rule);

 private:
  // A pair that may merge; stale unless both symbols are as they were.
  struct Pair {
    uint32_t rank;
    int32_t left;  // index
    int32_t middle,
        right_end;  // where the text of the left ends, and that of the right
    Token merged;
  };
  struct Link {
    int32_t previous,
        next;  // -1: none; a symbol that was merged away has next == kGone
  };

  void MergeFew(std::vector<Symbol>& symbols, Rule rule);
  void MergeMany(std::vector<Symbol>& symbols, Rule rule);
  void Push(const std::vector<Symbol>& symbols, int32_t left, int32_t right,
            Rule rule);

  std::vector<Pair> pairs_;
  std::vector<Link> links_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_SYMBOL_MERGER_H_
