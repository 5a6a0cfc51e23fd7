#include "src/speculate/ngram_index.h"

#include <algorithm>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace specinfer {
namespace {

using testing::ElementsAre;
using testing::FieldsAre;
using testing::IsEmpty;

constexpr int32_t kNoLimit = 1 << 30;

NgramIndex MakeIndex(Memory& memory, int32_t max_tokens) {
  return *NgramIndex::Create(memory, max_tokens);
}

std::vector<NgramMatch> Find(const NgramIndex& index,
                             const std::vector<Token>& text, size_t max_matches,
                             int32_t max_links = kNoLimit) {
  std::vector<NgramMatch> matches;
  index.FindMatches(text, max_matches, &matches, max_links);
  return matches;
}

// By the definition: every place, compared token by token.
std::vector<NgramMatch> BruteForce(const std::vector<Token>& indexed,
                                   const std::vector<Token>& text,
                                   size_t max_matches) {
  std::vector<NgramMatch> matches;
  for (size_t place = indexed.size(); place-- > 0;) {
    int32_t length = 0;
    for (size_t i = 1;
         i <= place && i <= text.size() && length < NgramIndex::kMaxMatch &&
         indexed[place - i] == text[text.size() - i];
         ++i) {
      ++length;
    }
    if (length >= NgramIndex::kMinMatch)
      matches.push_back({static_cast<int32_t>(place), length});
  }
  std::stable_sort(matches.begin(), matches.end(),
                   [](const NgramMatch& a, const NgramMatch& b) {
                     return a.length > b.length;
                   });
  matches.resize(std::min(matches.size(), max_matches));
  return matches;
}

void ExpectSame(const std::vector<NgramMatch>& actual,
                const std::vector<NgramMatch>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_EQ(actual[i].position, expected[i].position);
    EXPECT_EQ(actual[i].length, expected[i].length);
  }
}

TEST(NgramIndex, TakesWhatWasPlanned) {
  for (const int32_t max_tokens : {1, 2, 3, 64, 1000, 4096, 5000}) {
    Memory memory(0);
    const NgramIndex index = MakeIndex(memory, max_tokens);
    EXPECT_GE(memory.used_bytes(), NgramIndex::PlanBytes(max_tokens));
    EXPECT_LE(memory.used_bytes(), NgramIndex::PlanBytes(max_tokens) + 4096);
  }
}

TEST(NgramIndex, FindsTheLongestMatchFirstThenTheLatest) {
  Memory memory(0);
  NgramIndex index = MakeIndex(memory, 64);
  const std::vector<Token> text = {7, 1, 2, 50, 3, 1, 2, 51,
                                   9, 1, 2, 52, 3, 1, 2};

  index.Append(text);

  EXPECT_THAT(Find(index, text, 8),
              ElementsAre(FieldsAre(7, 3), FieldsAre(11, 2), FieldsAre(3, 2)));
}

TEST(NgramIndex, OneCommonTokenIsAMatchAndNoneIsNot) {
  Memory memory(0);
  NgramIndex index = MakeIndex(memory, 64);
  index.Append({1, 2, 3, 4, 5});

  EXPECT_THAT(Find(index, {9, 3}, 8), ElementsAre(FieldsAre(3, 1)));
  EXPECT_THAT(Find(index, {3, 9}, 8), IsEmpty());
  EXPECT_THAT(Find(index, {9, 5}, 8), IsEmpty());
}

TEST(NgramIndex, ATextOverlapsItself) {
  Memory memory(0);
  NgramIndex index = MakeIndex(memory, 64);
  const std::vector<Token> text = {5, 5, 5, 5, 5};

  index.Append(text);

  EXPECT_THAT(Find(index, text, 2),
              ElementsAre(FieldsAre(4, 4), FieldsAre(3, 3)));
}

// By the number of different tokens.
class RandomTexts : public testing::TestWithParam<int32_t> {};

TEST_P(RandomTexts, MatchesAreThoseOfBruteForce) {
  std::mt19937 random(static_cast<uint32_t>(GetParam()));
  const auto below = [&](size_t limit) { return random() % limit; };
  constexpr size_t kMaxTokens = 300;
  Memory memory(0);
  NgramIndex index = MakeIndex(memory, kMaxTokens);
  std::vector<Token> text;

  for (int step = 0; step < 4000; ++step) {
    if (below(3) > 0) {
      std::vector<Token> added(1 + below(12));
      for (Token& token : added)
        token = static_cast<Token>(below(static_cast<size_t>(GetParam())));
      if (below(4) == 0 && text.size() > 20) {  // copies make long matches
        const size_t from = below(text.size() - 10);
        added.assign(text.begin() + static_cast<ptrdiff_t>(from),
                     text.begin() + static_cast<ptrdiff_t>(
                                        std::min(from + 50, text.size())));
      }
      const size_t count = index.Append(added);
      ASSERT_EQ(count, std::min(added.size(), kMaxTokens - text.size()));
      text.insert(text.end(), added.begin(),
                  added.begin() + static_cast<ptrdiff_t>(count));
    } else {
      const size_t keep = below(8) == 0
                              ? below(text.size() + 1)
                              : text.size() - std::min(text.size(), below(20));
      index.Truncate(keep);
      text.resize(keep);
    }
    ASSERT_EQ(index.tokens(), absl::Span<const Token>(text));
    const size_t max_matches = 1 + below(10);
    ExpectSame(Find(index, text, max_matches),
               BruteForce(text, text, max_matches));
    std::vector<Token> other(below(40));
    for (Token& token : other)
      token = static_cast<Token>(below(static_cast<size_t>(GetParam())));
    ExpectSame(Find(index, other, max_matches),
               BruteForce(text, other, max_matches));
  }
}

INSTANTIATE_TEST_SUITE_P(NgramIndex, RandomTexts, testing::Values(1, 2, 3, 20));

TEST(NgramIndex, ASearchLooksAtABoundedNumberOfPlaces) {
  Memory memory(0);
  NgramIndex index = MakeIndex(memory, 4096);
  // One good match, then a pair that is everywhere.
  index.Append({8, 1, 2, 40});
  for (int i = 0; i < 200; ++i)
    index.Append({static_cast<Token>(100 + i), 1, 2});

  EXPECT_EQ(Find(index, {8, 1, 2}, 1)[0].position, 3);
  const auto bounded = Find(index, {8, 1, 2}, 1, NgramIndex::kMaxLinks);
  EXPECT_EQ(bounded[0].length, 2);
}

TEST(NgramIndex, TheGreaterOrderFindsWhatTheBoundHides) {
  Memory memory(0);
  NgramIndex index = MakeIndex(memory, 4096);
  index.Append({6, 8, 1, 2, 40});
  for (int i = 0; i < 200; ++i)
    index.Append({static_cast<Token>(100 + i), 1, 2});

  const auto matches = Find(index, {6, 8, 1, 2}, 1, NgramIndex::kMaxLinks);

  EXPECT_THAT(matches, ElementsAre(FieldsAre(4, 4)));
}

TEST(NgramIndex, HoldsNoMoreThanItsRoom) {
  Memory memory(0);
  NgramIndex index = MakeIndex(memory, 1000);
  const uint64_t bytes = memory.used_bytes();

  for (Token i = 0; i < 2000; ++i) index.Append({&i, 1});

  EXPECT_EQ(index.size(), 1000u);
  EXPECT_EQ(memory.used_bytes(), bytes);
  EXPECT_LE(bytes, 1000u * 20u + 4096u);
}

TEST(NgramIndex, ACopyGoesItsOwnWay) {
  Memory memory(0);
  NgramIndex index = MakeIndex(memory, 64);
  index.Append({1, 2, 3});

  NgramIndex copy = *index.Clone();
  copy.Append({1, 2});

  EXPECT_THAT(Find(copy, {1, 2, 3, 1, 2}, 4), ElementsAre(FieldsAre(2, 2)));
  EXPECT_EQ(index.size(), 3u);
  EXPECT_THAT(Find(index, {1, 2}, 4), ElementsAre(FieldsAre(2, 2)));
}

TEST(NgramIndex, RemovedTokensAreNotKeptInMemory) {
  Memory memory(0);
  NgramIndex index = MakeIndex(memory, 64);
  index.Append({1, 2, 3, 4});
  const Token* const data = index.tokens().data();

  index.Truncate(2);
  EXPECT_THAT(absl::Span<const Token>(data, 4), ElementsAre(1, 2, 0, 0));
  index.Wipe();
  EXPECT_THAT(absl::Span<const Token>(data, 4), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(Find(index, {1, 2}, 4), IsEmpty());
}

TEST(NgramIndex, SaysWhenThereIsNoMemory) {
  Memory memory(1000);

  EXPECT_EQ(NgramIndex::Create(memory, 1000).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace specinfer
