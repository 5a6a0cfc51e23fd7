#include "src/text/symbol_merger.h"

#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace specinfer {
namespace {

using Rules = std::map<std::pair<Token, Token>, std::pair<uint32_t, Token>>;

std::vector<Symbol> MakeSymbols(const std::vector<Token>& tokens) {
  std::vector<Symbol> symbols;
  for (const Token token : tokens) {
    const int32_t begin = static_cast<int32_t>(symbols.size());
    symbols.push_back({begin, begin + 1, token});
  }
  return symbols;
}

std::vector<Token> MergeWith(const Rules& rules,
                             const std::vector<Token>& tokens) {
  std::vector<Symbol> symbols = MakeSymbols(tokens);
  SymbolMerger().Merge(
      symbols, [&](const Symbol& left, const Symbol& right, Token* merged) {
        const auto rule = rules.find({left.token, right.token});
        if (rule == rules.end()) return SymbolMerger::kNoMerge;
        *merged = rule->second.second;
        return rule->second.first;
      });
  std::vector<Token> out;
  for (const Symbol& symbol : symbols) out.push_back(symbol.token);
  return out;
}

// The definition, word by word: of all pairs the lowest rank, of those the
// leftmost.
std::vector<Token> MergeSlowly(const Rules& rules, std::vector<Token> tokens) {
  for (;;) {
    size_t best = tokens.size();
    std::pair<uint32_t, Token> found = {UINT32_MAX, -1};
    for (size_t i = 0; i + 1 < tokens.size(); ++i) {
      const auto rule = rules.find({tokens[i], tokens[i + 1]});
      if (rule == rules.end() || rule->second.first >= found.first) continue;
      best = i;
      found = rule->second;
    }
    if (best == tokens.size()) return tokens;
    tokens[best] = found.second;
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(SymbolMerger, MergesLowestRankFirst) {
  const Rules rules = {{{1, 2}, {5, 10}}, {{2, 3}, {4, 11}}};

  EXPECT_EQ(MergeWith(rules, {1, 2, 3}), (std::vector<Token>{1, 11}));
}

TEST(SymbolMerger, MergesTheLeftmostOfEqualRank) {
  EXPECT_EQ(MergeWith({{{1, 1}, {0, 2}}}, {1, 1, 1}),
            (std::vector<Token>{2, 1}));
}

TEST(SymbolMerger, LeavesTheTextBoundsOfWhatItMerges) {
  std::vector<Symbol> symbols = MakeSymbols({1, 1, 3});

  SymbolMerger().Merge(symbols, [](const Symbol& left, const Symbol& right,
                                   Token* merged) {
    *merged = 9;
    return left.token == 1 && right.token == 1 ? 0u : SymbolMerger::kNoMerge;
  });

  ASSERT_EQ(symbols.size(), 2u);
  EXPECT_EQ(symbols[0].begin, 0);
  EXPECT_EQ(symbols[0].end, 2);
  EXPECT_EQ(symbols[1].begin, 2);
}

class SymbolMergerLength : public testing::TestWithParam<size_t> {};

TEST_P(SymbolMergerLength, AgreesWithTheDefinition) {
  std::mt19937 random(static_cast<uint32_t>(GetParam()));
  for (int round = 0; round < 40; ++round) {
    Rules rules;
    for (Token merged = 4; merged < 40; ++merged) {
      const Token left =
          static_cast<Token>(random() % static_cast<uint32_t>(merged));
      const Token right =
          static_cast<Token>(random() % static_cast<uint32_t>(merged));
      rules[{left, right}] = {random() % 30, merged};
    }
    std::vector<Token> tokens(GetParam());
    for (Token& token : tokens) token = static_cast<Token>(random() % 4);

    EXPECT_EQ(MergeWith(rules, tokens), MergeSlowly(rules, tokens));
  }
}

INSTANTIATE_TEST_SUITE_P(Lengths, SymbolMergerLength,
                         testing::Values(2, 3, 31, 32, 33, 300));

}  // namespace
}  // namespace specinfer
