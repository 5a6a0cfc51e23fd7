#include "src/text/symbol_merger.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace specinfer {
namespace {

constexpr int32_t kNone = -1;
constexpr int32_t kGone = -2;
constexpr size_t kFewSymbols =
    32;  // up to here, looking at every pair beats a heap

}  // namespace

void SymbolMerger::Merge(std::vector<Symbol>& symbols, Rule rule) {
  if (symbols.size() < 2) return;
  if (symbols.size() <= kFewSymbols) {
    MergeFew(symbols, rule);
  } else {
    MergeMany(symbols, rule);
  }
}

void SymbolMerger::MergeFew(std::vector<Symbol>& symbols, Rule rule) {
  uint32_t ranks[kFewSymbols];  // of pair (i, i + 1)
  Token merged[kFewSymbols];
  size_t num_pairs = symbols.size() - 1;
  for (size_t i = 0; i < num_pairs; ++i)
    ranks[i] = rule(symbols[i], symbols[i + 1], &merged[i]);
  while (num_pairs > 0) {
    const size_t best =
        static_cast<size_t>(std::min_element(ranks, ranks + num_pairs) - ranks);
    if (ranks[best] == kNoMerge) return;
    symbols[best] = {symbols[best].begin, symbols[best + 1].end, merged[best]};
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    if (best + 1 < num_pairs) {
      std::copy(ranks + best + 2, ranks + num_pairs, ranks + best + 1);
      std::copy(merged + best + 2, merged + num_pairs, merged + best + 1);
    }
    --num_pairs;
    if (best > 0)
      ranks[best - 1] =
          rule(symbols[best - 1], symbols[best], &merged[best - 1]);
    if (best < num_pairs)
      ranks[best] = rule(symbols[best], symbols[best + 1], &merged[best]);
  }
}

void SymbolMerger::Push(const std::vector<Symbol>& symbols, int32_t left,
                        int32_t right, Rule rule) {
  if (left < 0 || right < 0) return;
  const Symbol& left_symbol = symbols[static_cast<size_t>(left)];
  const Symbol& right_symbol = symbols[static_cast<size_t>(right)];
  Token merged = -1;
  const uint32_t rank = rule(left_symbol, right_symbol, &merged);
  if (rank == kNoMerge) return;
  pairs_.push_back({rank, left, left_symbol.end, right_symbol.end, merged});
}

void SymbolMerger::MergeMany(std::vector<Symbol>& symbols, Rule rule) {
  const auto goes_later = [](const Pair& a, const Pair& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  };
  const int32_t num_symbols = static_cast<int32_t>(symbols.size());
  pairs_.clear();
  links_.clear();
  for (int32_t i = 0; i < num_symbols; ++i) {
    links_.push_back({i - 1, i + 1 < num_symbols ? i + 1 : kNone});
    Push(symbols, i - 1, i, rule);
  }
  std::make_heap(pairs_.begin(), pairs_.end(), goes_later);
  while (!pairs_.empty()) {
    std::pop_heap(pairs_.begin(), pairs_.end(), goes_later);
    const Pair pair = pairs_.back();
    pairs_.pop_back();
    Link& link = links_[static_cast<size_t>(pair.left)];
    Symbol& symbol = symbols[static_cast<size_t>(pair.left)];
    const int32_t right = link.next;
    if (right < 0 || symbol.end != pair.middle ||
        symbols[static_cast<size_t>(right)].end != pair.right_end)
      continue;
    symbol.end = pair.right_end;
    symbol.token = pair.merged;
    Link& right_link = links_[static_cast<size_t>(right)];
    link.next = right_link.next;
    right_link.next = kGone;
    if (link.next >= 0)
      links_[static_cast<size_t>(link.next)].previous = pair.left;
    for (const auto& [from, to] : {std::pair{link.previous, pair.left},
                                   std::pair{pair.left, link.next}}) {
      const size_t before = pairs_.size();
      Push(symbols, from, to, rule);
      if (pairs_.size() != before)
        std::push_heap(pairs_.begin(), pairs_.end(), goes_later);
    }
  }
  size_t num_left = 0;
  for (size_t i = 0; i < symbols.size(); ++i) {
    if (links_[i].next != kGone) symbols[num_left++] = symbols[i];
  }
  symbols.resize(num_left);
}

}  // namespace specinfer
