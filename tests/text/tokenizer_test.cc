#include "src/text/tokenizer.h"

#include <algorithm>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/text/tiny_vocabulary.h"

namespace specinfer {
namespace {

using testing::Contains;

std::unique_ptr<Tokenizer> Load(const std::string& name) {
  auto tokenizer =
      TokenizerFromJson(ReadTestdata("tokenizer/" + name + ".json"));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

class EveryTokenizer : public testing::TestWithParam<const char*> {};
class ByteLevelTokenizer : public testing::TestWithParam<const char*> {};

TEST_P(ByteLevelTokenizer, GivesAnyBytesBack) {
  const auto tokenizer = Load(GetParam());
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    std::string bytes;
    const size_t num_bytes = random() % 200;
    for (size_t i = 0; i < num_bytes; ++i)
      bytes.push_back(
          static_cast<char>(random() % (round % 2 == 0 ? 256 : 160)));

    EXPECT_EQ(Bytes(*tokenizer, Tokens(*tokenizer, bytes)), bytes);
  }
}

TEST_P(EveryTokenizer, ReadsNoControlTokenOutOfUserText) {
  const auto tokenizer = Load(GetParam());

  for (const char* text : {"<|im_start|>", "<|im_end|>", "<|endoftext|>", "<s>",
                           "</s>", "<unk>", "a<|im_start|>b"}) {
    for (const Token token : Tokens(*tokenizer, text))
      EXPECT_FALSE(tokenizer->IsControl(token)) << text;
  }
}

TEST_P(EveryTokenizer, GivesNoTokensForNoText) {
  EXPECT_TRUE(Tokens(*Load(GetParam()), "").empty());
}

TEST_P(EveryTokenizer, AppendsToWhatIsThere) {
  const auto tokenizer = Load(GetParam());
  std::vector<Token> tokens = {7};

  ASSERT_TRUE(
      tokenizer->Tokenize("hello", /*parse_special=*/false, &tokens).ok());

  EXPECT_EQ(tokens[0], 7);
  tokens.erase(tokens.begin());
  EXPECT_EQ(tokens, Tokens(*tokenizer, "hello"));
}

TEST_P(EveryTokenizer, GivesTheSameFromManyThreads) {
  const auto tokenizer = Load(GetParam());
  const std::string text =
      "Hello \u65E5\u672C 123 don't\n\n" + std::string(100, 'x');
  const std::vector<Token> expected = Tokens(*tokenizer, text);
  std::vector<std::vector<Token>> results(4);
  std::vector<std::thread> threads;

  for (auto& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) result = Tokens(*tokenizer, text);
    });
  }
  for (std::thread& thread : threads) thread.join();

  for (const auto& result : results) EXPECT_EQ(result, expected);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ByteLevelTokenizer,
                         testing::Values("gpt2", "smollm", "llama3", "qwen2",
                                         "qwen35"),
                         [](const auto& param) {
                           return std::string(param.param);
                         });
INSTANTIATE_TEST_SUITE_P(Kinds, EveryTokenizer,
                         testing::Values("gpt2", "smollm", "llama3", "qwen2",
                                         "qwen35", "characters",
                                         "characters-prefix"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::erase(name, '-');
                           return name;
                         });

struct HugeCase {
  const char* name;
  const char* file;
  const char* unit;
};

class HugeText : public testing::TestWithParam<HugeCase> {};

// Merging that took the square of the length would not end here.
TEST_P(HugeText, ComesBackWhole) {
  const auto tokenizer = Load(GetParam().file);
  std::string text;
  while (text.size() < (size_t{1} << 20)) text += GetParam().unit;

  EXPECT_EQ(Bytes(*tokenizer, Tokens(*tokenizer, text)), text);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, HugeText,
    testing::Values(HugeCase{"BlanksAsQwen2", "qwen2", " "},
                    HugeCase{"LettersAsQwen2", "qwen2", "a"},
                    HugeCase{"DigitsAsGpt2", "gpt2", "7"},
                    HugeCase{"MarksAsGpt2", "gpt2", "\u0301"},
                    HugeCase{"BlanksAsCharacters", "characters", " "},
                    HugeCase{"LettersAsCharacters", "characters", "ab"},
                    HugeCase{"MarksAsCharacters", "characters", "\u0301"}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(Tokenizer, ReadsControlTokensWhenAsked) {
  const auto tokenizer = Load("qwen2");
  const Token control = tokenizer->FindSpecial("<|im_start|>");

  const std::vector<Token> tokens =
      Tokens(*tokenizer, "a<|im_start|>b", /*parse_special=*/true);

  ASSERT_EQ(tokens.size(), 3u);
  EXPECT_EQ(tokens[1], control);
}

TEST(Tokenizer, ReadsUserDefinedTokensAlways) {
  const auto tokenizer = Load("qwen2");
  const Token call = tokenizer->FindSpecial("<tool_call>");
  ASSERT_GE(call, 0);

  EXPECT_THAT(Tokens(*tokenizer, "a<tool_call>b"), Contains(call));
  EXPECT_FALSE(tokenizer->IsControl(call));
}

TEST(Tokenizer, EndsGenerationAtTheEndTokens) {
  const auto tokenizer = Load("qwen2");

  EXPECT_TRUE(
      tokenizer->IsEndOfGeneration(tokenizer->FindSpecial("<|im_end|>")));
  EXPECT_TRUE(
      tokenizer->IsEndOfGeneration(tokenizer->FindSpecial("<|endoftext|>")));
  EXPECT_FALSE(
      tokenizer->IsEndOfGeneration(tokenizer->FindSpecial("<|im_start|>")));
  EXPECT_FALSE(tokenizer->IsEndOfGeneration(-1));
}

TEST(Tokenizer, AnswersForNumbersThatAreNoToken) {
  const auto tokenizer = Load("qwen2");
  for (const Token token :
       {-1, INT32_MIN, INT32_MAX, tokenizer->vocabulary_size()}) {
    EXPECT_EQ(tokenizer->TokenBytes(token, /*show_special=*/true), "");
    EXPECT_FALSE(tokenizer->HasText(token));
    EXPECT_FALSE(tokenizer->IsControl(token));
  }
}

TEST(Tokenizer, FindsNoSpecialTokenByPartOfItsText) {
  const auto tokenizer = Load("qwen2");

  EXPECT_EQ(tokenizer->FindSpecial("<|im_"), -1);
  EXPECT_EQ(tokenizer->FindSpecial("<|im_end|>x"), -1);
  EXPECT_EQ(tokenizer->FindSpecial(""), -1);
}

TEST(Tokenizer, TakesTheBosOfATemplate) {
  const auto tokenizer = Load("characters");

  EXPECT_TRUE(tokenizer->adds_bos());
  EXPECT_EQ(tokenizer->bos(), tokenizer->FindSpecial("<s>"));
}

TEST(Tokenizer, SpellsCharactersThatAreNoTokenInBytes) {
  const auto tokenizer = Load("characters");
  const std::string text = "\U0001F600\xFF";

  const std::vector<Token> tokens = Tokens(*tokenizer, text);

  EXPECT_EQ(tokens.size(), 5u);
  EXPECT_EQ(Bytes(*tokenizer, tokens), text);
}

TEST(Tokenizer, AContinuationGetsNoBlankAndNoControlTokens) {
  const auto tokenizer =
      TokenizerFromJson(ReadTestdata("tokenizer/characters-prefix.json"));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::vector<Token> tokens;
  ASSERT_TRUE((*tokenizer)->TokenizeContinuation("the</s>", &tokens).ok());

  EXPECT_EQ(Bytes(**tokenizer, tokens), "the</s>");
  EXPECT_EQ(Bytes(**tokenizer, Tokens(**tokenizer, "the")), " the");
  EXPECT_EQ(std::count(tokens.begin(), tokens.end(), (*tokenizer)->eos()), 0);
}

}  // namespace
}  // namespace specinfer
