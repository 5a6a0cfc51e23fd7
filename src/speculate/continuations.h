// What followed the places that match the end of a text.
#ifndef SPECINFER_SRC_SPECULATE_CONTINUATIONS_H_
#define SPECINFER_SRC_SPECULATE_CONTINUATIONS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "src/speculate/ngram_index.h"

namespace specinfer {

// Copies, so that a shared index need not be held while a tree is built. Those
// of longer matches come first; of equal ones, what was added first.
class Continuations {
 public:
  struct Entry {
    int32_t match_length;
    bool is_from_corpus;
    size_t slot;
    size_t num_tokens;
  };

  // Holds the best `max_entries`, of up to `max_tokens` tokens each; nothing is
  // allocated afterwards.
  Continuations(size_t max_entries, size_t max_tokens);

  void Clear() { entries_.clear(); }

  // What follows in a text that may end, or at a negative token, for good.
  void AddOfCorpus(const NgramIndex& index, NgramMatch match);
  // What follows in the text that is to go on: past its end the continuation
  // goes on through itself, as a copy of LZ77 does.
  void AddOfText(const NgramIndex& index, NgramMatch match);

  size_t size() const { return entries_.size(); }
  const Entry& entry(size_t i) const { return entries_[i]; }
  absl::Span<const Token> tokens(size_t i) const {
    return {tokens_.data() + entries_[i].slot * max_tokens_,
            entries_[i].num_tokens};
  }

 private:
  // An entry to fill in, in its place; null if it is not among the best.
  Entry* Insert(int32_t match_length);

  const size_t max_entries_;
  const size_t max_tokens_;
  std::vector<Entry> entries_;
  std::vector<Token> tokens_;  // [max_entries, max_tokens]
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_CONTINUATIONS_H_
