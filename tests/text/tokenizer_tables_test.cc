#include "src/text/tokenizer_tables.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "src/text/text_table.h"

namespace specinfer {
namespace {

TokenTexts Texts(const std::vector<std::string>& list) {
  TokenTexts texts;
  for (const std::string& text : list) texts.Append(text);
  return texts;
}

TEST(TextTable, FindsEachTextAndNothingElse) {
  std::vector<std::string> list;
  for (int i = 0; i < 3000; ++i) list.push_back("t" + std::to_string(i));
  const TokenTexts texts = Texts(list);
  TextTable table(texts);
  table.Reserve(list.size());
  for (Token token = 0; token < 3000; ++token) table.Add(token);

  for (Token token = 0; token < 3000; ++token)
    EXPECT_EQ(table.Find(list[token]), token);
  EXPECT_EQ(table.Find("t3000"), -1);
  EXPECT_EQ(table.Find(""), -1);
}

TEST(TextTable, TakesTheFirstOfTwoEqualTexts) {
  const TokenTexts texts = Texts({"a", "b", "a"});
  TextTable table(texts);
  table.Reserve(3);
  for (Token token = 0; token < 3; ++token) table.Add(token);

  EXPECT_EQ(table.Find("a"), 0);
}

TEST(TextTable, IsEmptyWithoutSlots) {
  const TokenTexts texts = Texts({"a"});

  EXPECT_EQ(TextTable(texts).Find("a"), -1);
}

TEST(TextTable, AdoptedSlotsThatAreAllFullEndTheSearch) {
  const TokenTexts texts = Texts({"a"});
  const std::vector<TextSlot> slots(4, TextSlot{1, 7});
  TextTable table(texts);
  table.Adopt(slots, TextTable::kMaxProbes);

  EXPECT_EQ(table.Find("b"), -1);
}

TEST(BytePair, TakesTheFirstOfTwoMergesOfOnePair) {
  const MergeRule rules[] = {{1, 2, 3}, {0, 1, 4}, {1, 2, 5}, {1, 0, 6}};
  const BytePair pairs(rules, /*num_tokens=*/7);
  SymbolMerger merger;
  std::vector<Symbol> symbols = {{0, 1, 1}, {1, 2, 2}};

  pairs.Merge(symbols, merger);

  ASSERT_EQ(symbols.size(), 1u);
  EXPECT_EQ(symbols[0].token, 3);
}

TEST(TokenizerTables, RefusesWhatIsNoTable) {
  for (const size_t num_bytes : {0, 4, 16, 100}) {
    const std::vector<uint64_t> words(num_bytes / 8 + 1, 0x2020202020202020);
    const auto tables = ReadTokenizerTables(
        {reinterpret_cast<const uint8_t*>(words.data()), num_bytes}, "m");
    EXPECT_EQ(tables.status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace specinfer
