#include "src/text/pre_tokenizer.h"

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace specinfer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> Pieces(PreTokenizerKind kind, std::string_view text,
                                bool use_jit = true) {
  const auto pre_tokenizer = PreTokenizer::Create(kind, use_jit);
  EXPECT_TRUE(pre_tokenizer.ok()) << pre_tokenizer.status();
  std::vector<std::string> pieces;
  const absl::Status status = pre_tokenizer->Split(
      text, [&](std::string_view piece) { pieces.emplace_back(piece); });
  EXPECT_TRUE(status.ok()) << status;
  return pieces;
}

TEST(PreTokenizer, SplitsAsGpt2) {
  EXPECT_THAT(Pieces(PreTokenizerKind::kGpt2, "I'm he'LL  123 a\n\nb!? "),
              ElementsAre("I", "'m", " he", "'", "LL", " ", " 123", " a", "\n",
                          "\n", "b", "!?", " "));
}

TEST(PreTokenizer, SplitsEveryDigitAsSmollm) {
  EXPECT_THAT(Pieces(PreTokenizerKind::kSmollm, "a 12  3 x"),
              ElementsAre("a", " ", "1", "2", "  ", "3", " x"));
}

TEST(PreTokenizer, SplitsDigitsInThreesAsLlama3) {
  EXPECT_THAT(Pieces(PreTokenizerKind::kLlama3, "1234567 we'RE"),
              ElementsAre("123", "456", "7", " we", "'RE"));
}

TEST(PreTokenizer, KeepsLineEndsWithPunctuationAsQwen2) {
  EXPECT_THAT(Pieces(PreTokenizerKind::kQwen2, "x;\r\n\r\n  y \n \n  z"),
              ElementsAre("x", ";\r\n\r\n", " ", " y", " \n \n", " ", " z"));
}

TEST(PreTokenizer, KeepsMarksWithLettersAsQwen35) {
  EXPECT_THAT(Pieces(PreTokenizerKind::kQwen35, "e\u0301a"),
              ElementsAre("e\u0301a"));
  EXPECT_THAT(Pieces(PreTokenizerKind::kQwen2, "e\u0301a"),
              ElementsAre("e", "\u0301a"));
}

TEST(PreTokenizer, CutsPunctuationAndDigitsByDefault) {
  EXPECT_THAT(Pieces(PreTokenizerKind::kDefault, "a.b 12345+"),
              ElementsAre("a", ".", "b", " ", "123", "45", "+"));
}

TEST(PreTokenizer, TakesUnicodeSpacesForSpaces) {
  EXPECT_THAT(Pieces(PreTokenizerKind::kGpt2, "a\u3000\u00A0b"),
              ElementsAre("a", "\u3000", "\u00A0", "b"));
  EXPECT_THAT(Pieces(PreTokenizerKind::kGpt2, "a\u180E\u180Eb"),
              ElementsAre("a", "\u180E\u180E", "b"));
}

TEST(PreTokenizer, RefusesAnUnknownRuleByName) {
  const auto rule = FindPreTokenizerRule("no-such-rule");

  EXPECT_EQ(rule.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(rule.status().message()), HasSubstr("no-such-rule"));
}

TEST(PreTokenizer, TakesTheDefaultRuleForNone) {
  const auto rule = FindPreTokenizerRule("");

  ASSERT_TRUE(rule.ok());
  EXPECT_EQ(rule->kind, PreTokenizerKind::kDefault);
}

TEST(PreTokenizer, RefusesAnUnknownExpressionByText) {
  const auto kind = FindPreTokenizerByRegex("[a-z]+");

  EXPECT_EQ(kind.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(kind.status().message()), HasSubstr("[a-z]+"));
}

struct LongCase {
  const char* name;
  const char* unit;
};

class PreTokenizerLongText
    : public testing::TestWithParam<std::tuple<PreTokenizerKind, LongCase>> {};

// A quadratic expression would take hours here, a recursive one the stack.
TEST_P(PreTokenizerLongText, SplitsAlikeWithAndWithoutJit) {
  const auto& [kind, repeated] = GetParam();
  std::string text;
  while (text.size() < (size_t{1} << 20)) text += repeated.unit;
  text += "x";

  const std::vector<std::string> pieces = Pieces(kind, text);

  EXPECT_EQ(pieces, Pieces(kind, text, /*use_jit=*/false));
  std::string joined;
  for (const std::string& piece : pieces) joined += piece;
  EXPECT_EQ(joined, text);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, PreTokenizerLongText,
    testing::Combine(
        testing::Values(PreTokenizerKind::kDefault, PreTokenizerKind::kGpt2,
                        PreTokenizerKind::kSmollm, PreTokenizerKind::kLlama3,
                        PreTokenizerKind::kQwen2, PreTokenizerKind::kQwen35),
        testing::Values(LongCase{"Blanks", " "}, LongCase{"Letters", "a"},
                        LongCase{"Digits", "7"}, LongCase{"Marks", "\u0301"},
                        LongCase{"LineEnds", "\n"},
                        LongCase{"BlankLines", " \n"},
                        LongCase{"Quotes", "'"})),
    [](const auto& param) {
      return std::string(std::get<1>(param.param).name) +
             std::to_string(static_cast<int>(std::get<0>(param.param)));
    });

}  // namespace
}  // namespace specinfer
