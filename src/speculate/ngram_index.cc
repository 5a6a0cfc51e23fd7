#include "src/speculate/ngram_index.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

#include "src/base/status_macros.h"

namespace specinfer {

// Half a head to one for each token.
uint32_t NgramIndex::HeadBits(size_t max_tokens) {
  return std::max(2u, static_cast<uint32_t>(std::bit_width(max_tokens - 1))) -
         1;
}

uint64_t NgramIndex::PlanBytes(int32_t max_tokens) {
  const size_t num_tokens = static_cast<size_t>(std::max(max_tokens, 1));
  const size_t num_heads = size_t{1} << HeadBits(num_tokens);
  return (num_tokens * (1 + kNumOrders) + num_heads * kNumOrders) *
         sizeof(uint32_t);
}

absl::StatusOr<NgramIndex> NgramIndex::Create(Memory& memory,
                                              int32_t max_tokens) {
  NgramIndex index;
  index.memory_ = &memory;
  index.max_tokens_ = static_cast<size_t>(std::max(max_tokens, 1));
  index.head_bits_ = HeadBits(index.max_tokens_);
  const size_t num_heads = size_t{1} << index.head_bits_;
  SPECINFER_ASSIGN_OR_RETURN(
      index.block_, memory.Allocate(PlanBytes(max_tokens), "n-gram index"));
  static_assert(sizeof(Token) == sizeof(uint32_t));
  index.tokens_ = reinterpret_cast<Token*>(index.block_.data());
  uint32_t* words =
      reinterpret_cast<uint32_t*>(index.block_.data()) + index.max_tokens_;
  for (Chains& chains : index.chains_) {
    chains.previous = words;
    chains.heads = words + index.max_tokens_;
    words = chains.heads + num_heads;
  }
  return index;
}

absl::StatusOr<NgramIndex> NgramIndex::Clone() const {
  SPECINFER_ASSIGN_OR_RETURN(
      NgramIndex copy, Create(*memory_, static_cast<int32_t>(max_tokens_)));
  std::memcpy(copy.block_.data(), block_.data(), block_.size());
  copy.size_ = size_;
  return copy;
}

size_t NgramIndex::HashOf(size_t order, const Token* last) const {
  uint64_t hash = 0;
  for (size_t i = 0; i < order; ++i) {
    hash = (hash ^ static_cast<uint32_t>(last[-static_cast<ptrdiff_t>(i)])) *
           0x9E3779B97F4A7C15u;  // 2^64 / golden ratio: Knuth, 6.4
    hash ^= hash >> 32;
  }
  return (hash * 0x9E3779B97F4A7C15u) >> (64 - head_bits_);
}

size_t NgramIndex::Append(absl::Span<const Token> tokens) {
  const size_t count = std::min(tokens.size(), max_tokens_ - size_);
  for (size_t i = 0; i < count; ++i) {
    tokens_[size_++] = tokens[i];
    for (size_t o = 0; o < kNumOrders; ++o) {
      if (kOrders[o] > size_) continue;
      uint32_t& head =
          chains_[o].heads[HashOf(kOrders[o], tokens_ + size_ - 1)];
      chains_[o].previous[size_ - 1] = head;
      head = static_cast<uint32_t>(size_);
    }
  }
  return count;
}

void NgramIndex::Truncate(size_t num_tokens) {
  for (; size_ > num_tokens; --size_) {
    for (size_t o = 0; o < kNumOrders; ++o) {
      if (kOrders[o] > size_) continue;
      chains_[o].heads[HashOf(kOrders[o], tokens_ + size_ - 1)] =
          chains_[o].previous[size_ - 1];
    }
    tokens_[size_ - 1] = 0;
  }
}

void NgramIndex::Wipe() {
  std::memset(block_.data(), 0, block_.size());
  size_ = 0;
}

int32_t NgramIndex::MatchLength(absl::Span<const Token> text,
                                size_t place) const {
  const size_t limit = std::min({place, text.size(), size_t{kMaxMatch}});
  size_t length = 0;
  while (length < limit &&
         tokens_[place - 1 - length] == text[text.size() - 1 - length]) {
    ++length;
  }
  return static_cast<int32_t>(length);
}

void NgramIndex::FindMatches(absl::Span<const Token> text, size_t max_matches,
                             std::vector<NgramMatch>* matches,
                             int32_t max_links) const {
  matches->clear();
  if (max_matches == 0) return;
  for (size_t o = 0; o < kNumOrders; ++o) {
    const int32_t order = static_cast<int32_t>(kOrders[o]);
    // Matches of the greater order are found already.
    const int32_t limit =
        o == 0 ? kMaxMatch + 1 : static_cast<int32_t>(kOrders[o - 1]);
    if (text.size() < kOrders[o]) continue;
    uint32_t place =
        chains_[o].heads[HashOf(kOrders[o], text.data() + text.size() - 1)];
    for (int32_t link = 0; place != 0 && link < max_links;
         ++link, place = chains_[o].previous[place - 1]) {
      if (place == size_) continue;
      const int32_t length = MatchLength(text, place);
      // Shorter: other tokens with the same hash.
      if (length < order || length >= limit) continue;
      auto at = matches->end();
      while (at != matches->begin() && (at - 1)->length < length) --at;
      if (at == matches->end() && matches->size() >= max_matches) continue;
      matches->insert(at, {static_cast<int32_t>(place), length});
      if (matches->size() > max_matches) matches->pop_back();
      if (matches->size() == max_matches && matches->back().length == kMaxMatch)
        return;
    }
    // What follows is shorter.
    if (matches->size() == max_matches) return;
  }
}

}  // namespace specinfer
