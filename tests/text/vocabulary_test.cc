#include "src/text/vocabulary.h"

#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/text/gguf_vocabulary.h"
#include "tests/text/tiny_vocabulary.h"

namespace specinfer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Vocabulary, ReadsBytePairs) {
  const auto tokenizer = TinyBytePair().Load();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();

  EXPECT_THAT(Tokens(**tokenizer, "abcab<x>"), ElementsAre(5, 4, 6));
  EXPECT_FALSE((*tokenizer)->adds_bos());
  EXPECT_EQ((*tokenizer)->bos(), -1);
  EXPECT_EQ((*tokenizer)->eos(), 0);
}

TEST(Vocabulary, ReadsSentencePiece) {
  const auto tokenizer = TinySentencePiece().Load();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();

  EXPECT_THAT(Tokens(**tokenizer, "ab z"), ElementsAre(10, 5, 4));
  EXPECT_TRUE((*tokenizer)->adds_bos());
  EXPECT_EQ((*tokenizer)->bos(), 1);
  EXPECT_EQ((*tokenizer)->eos(), 2);
  EXPECT_EQ((*tokenizer)->special_token(SpecialToken::kUnknown), 0);
}

TEST(Vocabulary, AddsNoSpaceWhereTheFileSaysSo) {
  const auto tokenizer =
      TinySentencePiece().Bool("add_space_prefix", false).Load();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();

  EXPECT_THAT(Tokens(**tokenizer, "ab"), ElementsAre(9));
}

TEST(Vocabulary, GivesTheUnknownTokenForCharactersWithoutBytes) {
  const auto tokenizer =
      TinySentencePiece().Bool("add_space_prefix", false).Load();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();

  EXPECT_THAT(Tokens(**tokenizer, "a\u65E5"), ElementsAre(6, 0));
}

TEST(Vocabulary, LeavesOutMergesThatSpellAControlToken) {
  const auto tokenizer =
      TinyBytePair().Ints("token_type", {3, 1, 1, 1, 1, 3, 4}).Load();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();

  EXPECT_THAT(Tokens(**tokenizer, "abc"), ElementsAre(4, 3));
}

TEST(Vocabulary, NeverSamplesUnusedTokens) {
  const auto tokenizer =
      TinyBytePair().Ints("token_type", {3, 1, 1, 1, 1, 1, 5}).Load();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();

  EXPECT_FALSE((*tokenizer)->HasText(6));
  EXPECT_TRUE((*tokenizer)->HasText(5));
  EXPECT_TRUE((*tokenizer)->HasText(0));
}

TEST(Vocabulary, FindsEndTokensByTextAndMakesThemControl) {
  const auto tokenizer = TinyBytePair()
                             .Strings("tokens", {"<|end|>", "a", "b", "c", "ab",
                                                 "abc", "<|im_end|>"})
                             .Load();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();

  EXPECT_TRUE((*tokenizer)->IsEndOfGeneration(6));
  EXPECT_TRUE((*tokenizer)->IsControl(6));
}

TEST(Vocabulary, TakesTheEndTagOfHtmlForText) {
  const auto tokenizer =
      TinyBytePair()
          .Strings("tokens", {"<|end|>", "a", "b", "c", "ab", "abc", "</s>"})
          .Load();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();

  EXPECT_FALSE((*tokenizer)->IsEndOfGeneration(6));
  EXPECT_THAT(Tokens(**tokenizer, "a</s>"), ElementsAre(1, 6));
}

TEST(Vocabulary, ReadsFillInTheMiddleTokens) {
  const auto tokenizer = TinyBytePair()
                             .Uint("fim_pre_token_id", 1)
                             .Uint("suffix_token_id", 2)
                             .Load();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();

  EXPECT_EQ((*tokenizer)->special_token(SpecialToken::kFimPrefix), 1);
  EXPECT_EQ((*tokenizer)->special_token(SpecialToken::kFimSuffix), 2);
  EXPECT_EQ((*tokenizer)->special_token(SpecialToken::kFimMiddle), -1);
}

TEST(Vocabulary, ForgivesAPaddingTokenThatDoesNotExist) {
  const auto tokenizer =
      TinyBytePair().Uint("padding_token_id", UINT32_MAX).Load();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();

  EXPECT_EQ((*tokenizer)->special_token(SpecialToken::kPad), -1);
}

TEST(Vocabulary, TakesTheDefaultRuleWhereNoneIsNamed) {
  const auto tokenizer = TinyBytePair().Remove("pre").Load();

  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
}

struct BrokenCase {
  const char* name;
  GgufVocabulary (*make)();
  const char* says;
};

class BrokenVocabulary : public testing::TestWithParam<BrokenCase> {};

TEST_P(BrokenVocabulary, IsRefusedByName) {
  const auto tokenizer = GetParam().make().Load();

  ASSERT_FALSE(tokenizer.ok());
  EXPECT_THAT(std::string(tokenizer.status().message()),
              HasSubstr(GetParam().says));
  EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr("x.gguf"));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, BrokenVocabulary,
    testing::ValuesIn<BrokenCase>(
        {{"NoTokens", [] { return TinyBytePair().Remove("tokens"); },
          "tokenizer.ggml.tokens"},
         {"EmptyTokens", [] { return TinyBytePair().Strings("tokens", {}); },
          "tokenizer.ggml.tokens"},
         {"TokensOfNumbers",
          [] {
            return TinyBytePair().Ints("tokens", {1, 2});
          },
          "tokenizer.ggml.tokens"},
         {"FewerTypesThanTokens",
          [] {
            return TinyBytePair().Ints("token_type", {1, 1});
          },
          "tokenizer.ggml.token_type"},
         BrokenCase{
             "TypeOutOfRange",
             [] {
               return TinyBytePair().Ints("token_type", {3, 1, 1, 1, 1, 1, 7});
             },
             "tokenizer.ggml.token_type"},
         {"FewerScoresThanTokens",
          [] { return TinySentencePiece().Floats("scores", {1}); },
          "tokenizer.ggml.scores"},
         {"NoScores", [] { return TinySentencePiece().Remove("scores"); },
          "tokenizer.ggml.scores"},
         {"ScoreNotANumber",
          [] {
            return TinySentencePiece().Floats(
                "scores", {0, 0, 0, 0, 0, NAN, 0, 0, 0, 0, 0});
          },
          "tokenizer.ggml.scores"},
         {"ByteWithoutNumber",
          [] {
            return TinySentencePiece().Ints("token_type",
                                            {2, 3, 3, 6, 6, 6, 1, 1, 1, 1, 1});
          },
          "token 5"},
         {"NoMerges", [] { return TinyBytePair().Remove("merges"); },
          "tokenizer.ggml.merges"},
         {"MergeOfAbsentToken",
          [] { return TinyBytePair().Strings("merges", {"a q"}); },
          "tokenizer.ggml.merges"},
         {"MergeIntoAbsentToken",
          [] { return TinyBytePair().Strings("merges", {"c c"}); },
          "tokenizer.ggml.merges"},
         {"MergeWithoutBlank",
          [] { return TinyBytePair().Strings("merges", {"ab"}); },
          "tokenizer.ggml.merges"},
         {"MergeOfNothing",
          [] { return TinyBytePair().Strings("merges", {"a "}); },
          "tokenizer.ggml.merges"},
         {"EmptyMerge", [] { return TinyBytePair().Strings("merges", {""}); },
          "tokenizer.ggml.merges"},
         {"TokenTwice",
          [] {
            return TinyBytePair().Strings(
                "tokens", {"<|end|>", "a", "b", "c", "ab", "abc", "a"});
          },
          "tokens 1 and 6"},
         {"EosOutOfRange",
          [] { return TinyBytePair().Uint("eos_token_id", 7); },
          "tokenizer.ggml.eos_token_id"},
         BrokenCase{
             "FimOutOfRange",
             [] { return TinyBytePair().Uint("fim_mid_token_id", 1u << 31); },
             "tokenizer.ggml.fim_mid_token_id"},
         {"EosOfTheWrongKind",
          [] { return TinyBytePair().String("eos_token_id", "x"); },
          "tokenizer.ggml.eos_token_id"},
         {"UnknownPreTokenizer",
          [] { return TinyBytePair().String("pre", "mystery"); }, "mystery"},
         {"UnknownModel", [] { return TinyBytePair().String("model", "rwkv"); },
          "rwkv"},
         {"HugeSpecialToken",
          [] {
            return TinyBytePair().Strings(
                "tokens", {"<|end|>", "a", "b", "c", "ab", "abc",
                           std::string(5000, 'x')});
          },
          "token 6"}}),
    [](const auto& param) { return std::string(param.param.name); });

}  // namespace
}  // namespace specinfer
