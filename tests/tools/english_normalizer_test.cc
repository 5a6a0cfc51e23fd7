#include "tools/specinfer/english_normalizer.h"

#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tools/specinfer/decimal_text.h"
#include "tools/specinfer/word_errors.h"
#include <nlohmann/json.hpp>

namespace specinfer_cli {
namespace {

using testing::ElementsAre;

// Pairs of a text and what openai/whisper 20250625 makes of it.
TEST(EnglishNormalizer, DoesAsOpenAisDoes) {
  std::ifstream file(std::string(SPECINFER_TESTDATA) +
                     "/speech/english_normalizer.json");
  const auto pairs = nlohmann::json::parse(file, nullptr, false);
  ASSERT_GT(pairs.size(), 700u);
  const EnglishNormalizer normalizer;
  for (const auto& pair : pairs) {
    const std::string text = pair[0];
    EXPECT_EQ(normalizer.Normalize(text), pair[1].get<std::string>()) << text;
  }
}

TEST(EnglishNormalizer, MakesEqualWordsEqual) {
  const EnglishNormalizer normalizer;
  EXPECT_THAT(normalizer.Words("The colour isn't worth $20 million, Mr. Grey!"),
              ElementsAre("the", "color", "is", "not", "worth", "$20000000",
                          "mister", "gray"));
  EXPECT_EQ(CountWordErrors(normalizer.Words("It's twenty-one; I'm going to."),
                            normalizer.Words("it is 21 i'm gonna"))
                .total(),
            0);
}

TEST(EnglishNormalizer, TakesAnyBytes) {
  const EnglishNormalizer normalizer;
  std::mt19937 random(2);
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (uint32_t j = random() % 60; j > 0; --j) {
      text.push_back(random() % 3 == 0
                         ? static_cast<char>(random())
                         : "0159 .,$%'-aeno\xC2\xA3\xE2"[random() % 18]);
    }
    normalizer.Normalize(text);
  }
}

TEST(DecimalText, AddsAndMultipliesAnyLength) {
  EXPECT_EQ(AddDecimals("999", "1"), "1000");
  EXPECT_EQ(AddDecimals("100000000000000000000000", "42"),
            "100000000000000000000042");
  EXPECT_EQ(TimesPowerOfTen("1.5", 3), "1500");
  EXPECT_EQ(TimesPowerOfTen("007", 0), "7");
  EXPECT_EQ(TimesPowerOfTen(".5", 2), "50");
  EXPECT_EQ(TimesPowerOfTen("0", 6), "0");
  EXPECT_EQ(TimesPowerOfTen("1.2345", 3), std::nullopt);
  EXPECT_EQ(TimesPowerOfTen("1.2.3", 9), std::nullopt);
  EXPECT_EQ(TimesPowerOfTen(".", 9), std::nullopt);
  EXPECT_EQ(MultiplyThousands("2005", 3), "7000");
  EXPECT_EQ(MultiplyThousands("2000", 3), "2000");
  EXPECT_EQ(MultiplyThousands("12", 2), "1200");
  EXPECT_TRUE(EndsInZeros("100", 2));
  EXPECT_TRUE(EndsInZeros("0", 2));
  EXPECT_FALSE(EndsInZeros("110", 2));
}

}  // namespace
}  // namespace specinfer_cli
