#include "src/speculate/continuations.h"

#include <algorithm>

namespace specinfer {

Continuations::Continuations(size_t max_entries, size_t max_tokens)
    : max_entries_(max_entries),
      max_tokens_(max_tokens),
      tokens_(max_entries * max_tokens) {
  entries_.reserve(max_entries);
}

Continuations::Entry* Continuations::Insert(int32_t match_length) {
  size_t slot = entries_.size();
  if (entries_.size() == max_entries_) {
    if (entries_.empty() || entries_.back().match_length >= match_length)
      return nullptr;
    slot = entries_.back().slot;
    entries_.pop_back();
  }
  auto at = entries_.end();
  while (at != entries_.begin() && (at - 1)->match_length < match_length) --at;
  return &*entries_.insert(at, {match_length, false, slot, 0});
}

void Continuations::AddOfCorpus(const NgramIndex& index, NgramMatch match) {
  const auto following =
      index.tokens().subspan(static_cast<size_t>(match.position), max_tokens_);
  if (following.empty() || following[0] < 0) return;
  Entry* const entry = Insert(match.length);
  if (entry == nullptr) return;
  entry->is_from_corpus = true;
  Token* const out = tokens_.data() + entry->slot * max_tokens_;
  for (const Token token : following) {
    if (token < 0) break;
    out[entry->num_tokens++] = token;
  }
}

void Continuations::AddOfText(const NgramIndex& index, NgramMatch match) {
  const auto following =
      index.tokens().subspan(static_cast<size_t>(match.position));
  if (following.empty()) return;
  Entry* const entry = Insert(match.length);
  if (entry == nullptr) return;
  Token* const out = tokens_.data() + entry->slot * max_tokens_;
  for (size_t i = 0; i < max_tokens_; ++i) {
    out[i] = i < following.size() ? following[i] : out[i - following.size()];
  }
  entry->num_tokens = max_tokens_;
}

}  // namespace specinfer
