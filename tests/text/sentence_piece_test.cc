#include "src/text/sentence_piece.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/text/gguf_vocabulary.h"
#include "tests/text/tiny_vocabulary.h"

namespace specinfer {
namespace {

// The definition, word by word: merge the neighbours whose joint text scores
// highest, the leftmost of equals.
std::vector<Token> MergeSlowly(const std::vector<std::string>& texts,
                               const std::vector<float>& scores,
                               std::vector<std::string> parts) {
  const auto find = [&](const std::string& text) {
    return std::find(texts.begin(), texts.end(), text) - texts.begin();
  };
  for (;;) {
    size_t best = parts.size();
    float best_score = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const size_t token = static_cast<size_t>(find(parts[i] + parts[i + 1]));
      if (token == texts.size() ||
          (best < parts.size() && scores[token] <= best_score))
        continue;
      best = i;
      best_score = scores[token];
    }
    if (best == parts.size()) break;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  std::vector<Token> tokens;
  for (const std::string& part : parts)
    tokens.push_back(static_cast<Token>(find(part)));
  return tokens;
}

class SentencePieceLength : public testing::TestWithParam<size_t> {};

TEST_P(SentencePieceLength, AgreesWithTheDefinition) {
  const std::vector<std::string> letters = {"a", "b", "\u00E9", " "};
  std::mt19937 random(static_cast<uint32_t>(GetParam()));
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> texts = letters;
    while (texts.size() < 40) {
      const std::string text =
          texts[random() % texts.size()] + texts[random() % texts.size()];
      if (text.size() < 12 &&
          std::find(texts.begin(), texts.end(), text) == texts.end())
        texts.push_back(text);
    }
    std::vector<float> scores;
    for (size_t i = 0; i < texts.size(); ++i)
      scores.push_back(-static_cast<float>(random() % 20) / 2 + 3);
    std::vector<std::string> spelt = texts;
    for (std::string& text : spelt) {
      for (size_t blank; (blank = text.find(' ')) != std::string::npos;)
        text.replace(blank, 1, "\u2581");
    }
    const auto tokenizer = GgufVocabulary()
                               .String("model", "llama")
                               .Strings("tokens", spelt)
                               .Floats("scores", scores)
                               .Bool("add_space_prefix", false)
                               .Load();
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    std::vector<std::string> parts;
    std::string text;
    for (size_t i = 0; i < GetParam(); ++i)
      text += parts.emplace_back(letters[random() % letters.size()]);

    EXPECT_EQ(Tokens(**tokenizer, text), MergeSlowly(texts, scores, parts))
        << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Lengths, SentencePieceLength,
                         testing::Values(1, 2, 5, 30, 64, 200));

TEST(SentencePiece, ReadsTheMarkOfABlankAsABlank) {
  const auto tokenizer = TinySentencePiece().Load();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();

  EXPECT_EQ(Tokens(**tokenizer, "ab\u2581a"), Tokens(**tokenizer, "ab a"));
}

TEST(SentencePiece, NeverSpellsAControlToken) {
  const auto tokenizer =
      TinySentencePiece()
          .Ints("token_type", {2, 3, 3, 6, 6, 1, 1, 1, 1, 3, 1})
          .Bool("add_space_prefix", false)
          .Load();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();

  EXPECT_EQ(Tokens(**tokenizer, "ab"), (std::vector<Token>{6, 7}));
}

}  // namespace
}  // namespace specinfer
