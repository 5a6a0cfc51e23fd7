#include "src/text/detokenizer.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/text/tiny_vocabulary.h"

namespace specinfer {
namespace {

std::unique_ptr<Tokenizer> MakeTokenizer() {
  auto tokenizer = TokenizerFromJson(ReadTestdata("tokenizer/qwen2.json"));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

TEST(Detokenizer, HoldsBackACharacterUntilItIsWhole) {
  const auto tokenizer = MakeTokenizer();
  Detokenizer detokenizer(*tokenizer);
  std::string text;

  detokenizer.AppendBytes("a\xF0\x9F", &text);
  EXPECT_EQ(text, "a");
  EXPECT_EQ(detokenizer.held_back(), "\xF0\x9F");
  detokenizer.AppendBytes("\x98", &text);
  EXPECT_EQ(text, "a");
  detokenizer.AppendBytes("\x80z", &text);

  EXPECT_EQ(text, "a\xF0\x9F\x98\x80z");
  EXPECT_TRUE(detokenizer.held_back().empty());
}

TEST(Detokenizer, ReplacesBytesThatCannotBecomeACharacter) {
  const auto tokenizer = MakeTokenizer();
  Detokenizer detokenizer(*tokenizer);
  std::string text;

  detokenizer.AppendBytes("\x80", &text);
  detokenizer.AppendBytes("\xE2\x82", &text);
  detokenizer.AppendBytes("\xC3", &text);
  detokenizer.AppendBytes("\xA9", &text);

  EXPECT_EQ(text, "\uFFFD\uFFFD\u00E9");
}

TEST(Detokenizer, FlushReplacesWhatIsHeldBack) {
  const auto tokenizer = MakeTokenizer();
  Detokenizer detokenizer(*tokenizer);
  std::string text;
  detokenizer.AppendBytes("\xF0\x9F\x98", &text);

  detokenizer.Flush(&text);
  detokenizer.Flush(&text);

  EXPECT_EQ(text, "\uFFFD");
}

TEST(Detokenizer, EmojiSplitOverTokensStayWhole) {
  const auto tokenizer = MakeTokenizer();
  const std::string input =
      "ok \xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9 \xE6\x97\xA5";
  const std::vector<Token> tokens = Tokens(*tokenizer, input);
  ASSERT_GT(tokens.size(), 8u);
  Detokenizer detokenizer(*tokenizer);
  std::string text;

  for (const Token token : tokens) {
    detokenizer.Append(token, &text);
    EXPECT_TRUE(IsWellFormed(text));
    EXPECT_EQ(input.compare(0, text.size(), text), 0);
  }

  EXPECT_EQ(text, input);
}

TEST(Detokenizer, NeverGivesIllFormedText) {
  const auto tokenizer = MakeTokenizer();
  std::mt19937 random(1);
  Detokenizer detokenizer(*tokenizer);
  std::string text;

  for (int i = 0; i < 20000; ++i) {
    detokenizer.Append(
        static_cast<Token>(random() % static_cast<uint32_t>(
                                          tokenizer->vocabulary_size() + 10)),
        &text);
    if (i % 100 == 0) detokenizer.Flush(&text);
  }
  detokenizer.Flush(&text);

  EXPECT_TRUE(IsWellFormed(text));
}

TEST(Detokenizer, CutsOfTheSameBytesGiveTheSameText) {
  const auto tokenizer = MakeTokenizer();
  std::mt19937 random(2);
  for (int round = 0; round < 300; ++round) {
    std::string bytes;
    for (int i = 0; i < 40; ++i)
      bytes.push_back(
          "aC\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xED\xF4\xFF"[random() % 15]);
    std::string whole, cut;
    Detokenizer one(*tokenizer), many(*tokenizer);

    one.AppendBytes(bytes, &whole);
    one.Flush(&whole);
    for (size_t begin = 0; begin < bytes.size();) {
      const size_t num_bytes = 1 + random() % 4;
      many.AppendBytes(std::string_view(bytes).substr(begin, num_bytes), &cut);
      begin += num_bytes;
    }
    many.Flush(&cut);

    EXPECT_EQ(whole, cut);
  }
}

TEST(Detokenizer, ShowsControlTokensOnlyWhenAsked) {
  const auto tokenizer = MakeTokenizer();
  const Token control = tokenizer->FindSpecial("<|im_start|>");
  ASSERT_GE(control, 0);
  std::string hidden, shown;

  Detokenizer(*tokenizer).Append(control, &hidden);
  Detokenizer(*tokenizer, /*shows_special=*/true).Append(control, &shown);

  EXPECT_EQ(hidden, "");
  EXPECT_EQ(shown, "<|im_start|>");
}

}  // namespace
}  // namespace specinfer
