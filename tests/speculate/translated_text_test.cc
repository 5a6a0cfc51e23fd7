#include "src/speculate/translated_text.h"

#include <algorithm>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"

#include "tests/text/tiny_vocabulary.h"

namespace specinfer {
namespace {

constexpr const char* kText =
    "The quick brown fox can't jump over 1984 naïve café owners — she's "
    "sure.\n\nfor (int i = 0; i < 100; ++i) {\n    sum += values[i];  // "
    "中文字符 and 😀👍🏽 too\n\t}\r\n  \n \"Übergröße\" weren't "
    "they? "
    " "
    "It's "
    "DON'T   do,   that...   \n";

std::unique_ptr<Tokenizer> Load(const std::string& name) {
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer =
      TokenizerFromJson(ReadTestdata("tokenizer/" + name + ".json"));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

// As a target might write it: with seams in the middle of words and characters.
std::vector<Token> Write(const Tokenizer& tokenizer, const std::string& text,
                         std::mt19937& random) {
  std::vector<Token> tokens;
  for (size_t begin = 0; begin < text.size();) {
    const size_t num_bytes =
        std::min<size_t>(text.size() - begin, 1 + random() % 12);
    EXPECT_TRUE(
        tokenizer.TokenizeContinuation(text.substr(begin, num_bytes), &tokens)
            .ok());
    begin += num_bytes;
  }
  return tokens;
}

std::vector<Token> Whole(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<Token> tokens;
  if (tokenizer.adds_bos()) tokens.push_back(tokenizer.bos());
  EXPECT_TRUE(tokenizer.TokenizeContinuation(text, &tokens).ok());
  return tokens;
}

std::string Shown(const Tokenizer& tokenizer, absl::Span<const Token> tokens) {
  std::string bytes;
  for (const Token token : tokens)
    bytes += tokenizer.TokenBytes(token, /*show_special=*/false);
  return bytes;
}

std::vector<Token> Copied(absl::Span<const Token> tokens) {
  return {tokens.begin(), tokens.end()};
}

class Translation
    : public testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  Translation()
      : from_(Load(std::get<0>(GetParam()))),
        to_(Load(std::get<1>(GetParam()))) {}

  std::vector<Token> Cut(const std::vector<Token>& tokens, size_t size) {
    return {tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(size)};
  }

  Memory memory_{0};
  std::unique_ptr<Tokenizer> from_, to_;
};

// The oracle is the tokenizer itself, given all of the text at once.
TEST_P(Translation, IsThatOfTheWholeTextHoweverItGrows) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    const std::vector<Token> text = Write(*from_, kText, random);
    TranslatedText translated =
        *TranslatedText::Create(memory_, *from_, *to_, 4096);
    for (size_t size = 0; size < text.size();) {
      size = std::min<size_t>(text.size(), size + 1 + random() % 7);
      const std::vector<Token> before = Copied(translated.tokens());
      const absl::StatusOr<size_t> num_kept =
          translated.Follow(Cut(text, size));
      ASSERT_TRUE(num_kept.ok()) << num_kept.status();
      const std::vector<Token> after = Copied(translated.tokens());
      EXPECT_EQ(after, Whole(*to_, Bytes(*from_, Cut(text, size))));
      ASSERT_LE(*num_kept, std::min(before.size(), after.size()));
      EXPECT_TRUE(std::equal(
          after.begin(), after.begin() + static_cast<std::ptrdiff_t>(*num_kept),
          before.begin()));
      // And not one that could have been kept was not.
      if (*num_kept < std::min(before.size(), after.size())) {
        EXPECT_NE(before[*num_kept], after[*num_kept]);
      }
    }
  }
}

TEST_P(Translation, IsThatOfTheWholeTextAfterAnyRollback) {
  std::mt19937 random(7);
  TranslatedText translated =
      *TranslatedText::Create(memory_, *from_, *to_, 4096);
  std::vector<Token> text;
  for (int round = 0; round < 200; ++round) {
    const size_t size = random() % (text.size() + 1);
    translated.Rollback(size);
    text.resize(size);
    const std::vector<Token> more =
        Write(*from_, std::string(kText).substr(random() % 40, 60), random);
    text.insert(text.end(), more.begin(), more.end());
    if (text.size() > 100) text.resize(100);
    ASSERT_TRUE(translated.Follow(text).ok());
    ASSERT_EQ(Copied(translated.tokens()), Whole(*to_, Bytes(*from_, text)))
        << Bytes(*from_, text);
  }
}

TEST_P(Translation, OfALongTextIsTheEndOfIt) {
  std::mt19937 random(3);
  std::string long_text;
  for (int i = 0; i < 30; ++i) long_text += kText;
  const std::vector<Token> text = Write(*from_, long_text, random);
  const std::string bytes = Bytes(*from_, text);
  TranslatedText translated =
      *TranslatedText::Create(memory_, *from_, *to_, 512);

  for (size_t size = 1000; size <= text.size(); size += size < 2000 ? 1 : 200) {
    ASSERT_TRUE(translated.Follow(Cut(text, size)).ok());
    ASSERT_LE(translated.tokens().size(), 512u);
    const std::string end = Shown(*to_, translated.tokens());
    const std::string all = Bytes(*from_, Cut(text, size));
    EXPECT_GE(end.size(), 60u);
    ASSERT_LE(end.size(), all.size());
    EXPECT_EQ(end, all.substr(all.size() - end.size()));
    if (size == 1000) {
      EXPECT_LE(translated.tokens().size(), TranslatedText::kMaxReadBack);
    }
  }
}

// Where no word begins, work stays bounded: not much is encoded again.
TEST_P(Translation, OfATextWithoutWordsIsCut) {
  for (const char* unit : {"ab_1", "字", "\xF0\x9F\x98\x80", "\x80"}) {
    std::mt19937 random(5);
    std::string long_text;
    for (int i = 0; i < 500; ++i) long_text += unit;
    const std::vector<Token> text = Write(*from_, long_text, random);
    TranslatedText translated =
        *TranslatedText::Create(memory_, *from_, *to_, 8192);
    for (size_t size = 1; size <= text.size(); ++size)
      ASSERT_TRUE(translated.Follow(Cut(text, size)).ok());
    EXPECT_EQ(Shown(*to_, translated.tokens()), long_text);

    translated.Rollback(text.size() - 1);
    EXPECT_GE(Shown(*to_, translated.tokens()).size(),
              Bytes(*from_, Cut(text, text.size() - 50)).size());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Vocabularies, Translation,
    testing::Combine(testing::Values("qwen2", "characters"),
                     testing::Values("gpt2", "smollm", "llama3", "qwen35")),
    [](const auto& tested) {
      return std::string(std::get<0>(tested.param)) + "To" +
             std::get<1>(tested.param);
    });
INSTANTIATE_TEST_SUITE_P(ToCharacters, Translation,
                         testing::Values(std::tuple("qwen2", "characters")),
                         [](const auto&) { return "Qwen2"; });

TEST(TranslatedText, CopiesGoOnApart) {
  Memory memory(0);
  const auto from = Load("qwen2"), to = Load("smollm");
  std::mt19937 random(1);
  std::vector<Token> text = Write(*from, "some words to begin with", random);
  TranslatedText one = *TranslatedText::Create(memory, *from, *to, 512);
  ASSERT_TRUE(one.Follow(text).ok());

  TranslatedText two = *one.Copy();
  const std::vector<Token> before = Copied(one.tokens());
  text.resize(text.size() - 3);
  two.Rollback(text.size());
  ASSERT_TRUE(two.Follow(text).ok());

  EXPECT_EQ(Copied(one.tokens()), before);
  EXPECT_EQ(Copied(two.tokens()), Whole(*to, Bytes(*from, text)));
}

// ---- Control tokens ---------------------------------------------------------

TEST(TranslatedText, ControlTokensBecomeThoseOfTheOtherVocabulary) {
  Memory memory(0);
  const auto from = Load("qwen2"), to = Load("smollm");
  const std::string chat =
      "<|im_start|>user\nHello there<|im_end|>\n<|im_start|>assistant\n";
  const std::vector<Token> text = Tokens(*from, chat, /*parse_special=*/true);

  for (size_t step = 1; step < 6; ++step) {
    TranslatedText translated =
        *TranslatedText::Create(memory, *from, *to, 512);
    for (size_t size = step; size < text.size() + step; size += step) {
      ASSERT_TRUE(translated
                      .Follow(absl::MakeConstSpan(text).first(
                          std::min(size, text.size())))
                      .ok());
    }
    EXPECT_EQ(Copied(translated.tokens()),
              Tokens(*to, chat, /*parse_special=*/true));
    translated.Rollback(3);
    ASSERT_TRUE(translated.Follow(text).ok());
    EXPECT_EQ(Copied(translated.tokens()),
              Tokens(*to, chat, /*parse_special=*/true));
  }
}

TEST(TranslatedText, WhatAUserTypesIsNoControlToken) {
  Memory memory(0);
  const auto from = Load("qwen2"), to = Load("smollm");
  const std::vector<Token> text = Tokens(*from, "say <|im_end|> twice");

  TranslatedText translated = *TranslatedText::Create(memory, *from, *to, 512);
  ASSERT_TRUE(translated.Follow(text).ok());

  EXPECT_EQ(Copied(translated.tokens()), Tokens(*to, "say <|im_end|> twice"));
}

TEST(TranslatedText, ControlTokensWithoutACounterpartAreLeftOut) {
  Memory memory(0);
  const auto from =
      TokenizerFromGguf(std::string(SPECINFER_TESTDATA) + "/tiny-llama.gguf");
  const auto to =
      TokenizerFromGguf(std::string(SPECINFER_TESTDATA) + "/tiny-gemma3.gguf");
  const Token fim = (*from)->FindSpecial("<|fim_prefix|>");
  ASSERT_GE(fim, 0);
  std::vector<Token> text = Tokens(**from, "the val");
  text.push_back(fim);
  for (const Token token : Tokens(**from, "ue of it")) text.push_back(token);

  TranslatedText translated =
      *TranslatedText::Create(memory, **from, **to, 512);
  ASSERT_TRUE(translated.Follow(text).ok());

  std::vector<Token> expected = {(*to)->bos()};
  ASSERT_TRUE((*to)->TokenizeContinuation("the value of it", &expected).ok());
  EXPECT_EQ(Copied(translated.tokens()), expected);
  // Nothing but such: no tokens, and no end of work.
  const std::vector<Token> empty(1000, fim);
  translated.Rollback(0);
  ASSERT_TRUE(translated.Follow(empty).ok());
  EXPECT_EQ(Copied(translated.tokens()), std::vector<Token>{(*to)->bos()});
}

TEST(TranslatedText, EndsAndBeginningsCorrespondUnderOtherNames) {
  const auto llama =
      TokenizerFromGguf(std::string(SPECINFER_TESTDATA) + "/tiny-llama.gguf");
  const auto gemma =
      TokenizerFromGguf(std::string(SPECINFER_TESTDATA) + "/tiny-gemma3.gguf");
  EXPECT_EQ(TranslateControl(**llama, (*llama)->eos(), **gemma),
            (*gemma)->eos());
  EXPECT_EQ(TranslateControl(**llama, (*llama)->bos(), **gemma),
            (*gemma)->bos());
  EXPECT_EQ(TranslateControl(**gemma, (*gemma)->FindSpecial("<end_of_turn>"),
                             **llama),
            (*gemma)->IsEndOfGeneration((*gemma)->FindSpecial("<end_of_turn>"))
                ? (*llama)->eos()
                : -1);
  EXPECT_EQ(TranslateControl(**gemma, (*gemma)->FindSpecial("<unk>"), **llama),
            -1);
}

}  // namespace
}  // namespace specinfer
