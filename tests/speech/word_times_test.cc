#include "src/speech/word_times.h"

#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/speech/word_split.h"
#include "tests/speech/tiny_speech_vocabulary.h"
#include "tests/speech/whisper_files.h"
#include <nlohmann/json.hpp>

namespace specinfer {
namespace {

using nlohmann::json;
using testing::ElementsAre;

json ReadCases(const std::string& name) {
  std::ifstream file(std::string(SPECINFER_TESTDATA) + "/speech/" + name);
  return json::parse(file, nullptr, /*allow_exceptions=*/false);
}

// Segments with the tokens and positions of `given`, and what faster-whisper
// 1.2.1's add_word_timestamps made of them.
void ExpectWords(const SpeechTokens& tokens, const Tokenizer& tokenizer,
                 const json& given) {
  std::vector<Segment> segments;
  for (const json& segment : given["segments"]) {
    segments.push_back({.start = segment["start"],
                        .end = segment["end"],
                        .tokens = segment["tokens"]});
  }
  const std::vector<int32_t> positions = given["positions"];
  const std::vector<float> probabilities = given["probabilities"];

  const double end =
      AddWordTimes(tokens, tokenizer, given["language"].get<std::string>(), {},
                   {.positions = positions, .probabilities = probabilities},
                   given["start"], given["last"], &segments);

  EXPECT_NEAR(end, given["end"].get<double>(), 1e-6);
  ASSERT_EQ(segments.size(), given["result"].size());
  for (size_t i = 0; i < segments.size(); ++i) {
    const json& expected = given["result"][i];
    EXPECT_NEAR(segments[i].start, expected["start"].get<double>(), 1e-6);
    EXPECT_NEAR(segments[i].end, expected["end"].get<double>(), 1e-6);
    ASSERT_EQ(segments[i].words.size(), expected["words"].size());
    for (size_t j = 0; j < segments[i].words.size(); ++j) {
      const SpokenWord& word = segments[i].words[j];
      const json& wanted = expected["words"][j];
      EXPECT_EQ(word.text, wanted[0].get<std::string>());
      EXPECT_NEAR(word.start, wanted[1].get<double>(), 2e-5) << word.text;
      EXPECT_NEAR(word.end, wanted[2].get<double>(), 2e-5) << word.text;
      EXPECT_NEAR(word.probability, wanted[3].get<double>(), 2e-5);
    }
  }
}

// Without texts whose broken characters make it lose words.
TEST(WordTimes, AreThoseOfFasterWhisperForRandomTimes) {
  const auto tokenizer = TinySpeechTokenizer();
  const SpeechTokens tokens =
      *SpeechTokens::Create(*tokenizer, kTinyTimestampBegin + 1501);
  const json cases = ReadCases("word_times.json");
  ASSERT_EQ(cases.size(), 90u);
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(testing::Message() << "case " << i);
    ExpectWords(tokens, *tokenizer, cases[i]);
    if (testing::Test::HasFailure()) return;
  }
}

// What CTranslate2's align gave for recordings.
TEST(WordTimes, AreThoseOfFasterWhisperForRecordings) {
  const auto tokenizer = WhisperTokenizer("whisper-base");
  SPECINFER_SKIP_WITHOUT(tokenizer, "whisper-base");
  const SpeechTokens tokens =
      *SpeechTokens::Create(*tokenizer, kBaseVocabulary);
  const json cases = ReadCases("word_times_clips.json");
  ASSERT_GT(cases.size(), 10u);
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(testing::Message() << "case " << i);
    ExpectWords(tokens, *tokenizer, cases[i]);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(WordTimes, NumbersThatDoNotBelongAreLeft) {
  const auto tokenizer = TinySpeechTokenizer();
  const SpeechTokens tokens =
      *SpeechTokens::Create(*tokenizer, kTinyTimestampBegin + 1501);
  std::vector<Segment> segments(1);
  segments[0] = {.start = 1.0, .end = 2.0, .tokens = {'a', 'b'}};
  const std::vector<int32_t> positions = {0, 1};
  const std::vector<float> probabilities = {0.5f, 0.5f};

  EXPECT_EQ(
      AddWordTimes(tokens, *tokenizer, "en", {},
                   {.positions = positions, .probabilities = probabilities},
                   0.0, 0.25, &segments),
      0.25);
  EXPECT_TRUE(segments[0].words.empty());
}

std::vector<std::string> Words(const std::string& text,
                               std::string_view language) {
  const auto tokenizer = TinySpeechTokenizer();
  std::vector<Token> tokens;
  for (const char byte : text)
    tokens.push_back(static_cast<Token>(static_cast<uint8_t>(byte)));
  std::vector<std::string> words;
  size_t num_tokens = 0;
  for (const TokenWord& word : SplitIntoWords(*tokenizer, language, tokens)) {
    words.push_back(word.text);
    num_tokens += word.num_tokens;
  }
  EXPECT_EQ(num_tokens, tokens.size());
  return words;
}

TEST(WordSplit, WordsBeginAtSpacesAndPunctuation) {
  EXPECT_THAT(
      Words(" Hello, caf\xC3\xA9 (it's)", "en"),
      ElementsAre(" Hello", ",", " caf\xC3\xA9", " ", "(it", "'s", ")"));
}

TEST(WordSplit, CharactersAreWordsWhereThereAreNoSpaces) {
  EXPECT_THAT(Words("日本 a", "ja"), ElementsAre("日", "本", " ", "a"));
  EXPECT_THAT(Words("日本 a", "ko"), ElementsAre("日本", " a"));
}

TEST(WordSplit, BrokenCharactersStayInTheirPlace) {
  EXPECT_THAT(Words("a\xFF"
                    "b \xE6\x97",
                    "en"),
              ElementsAre("a\xEF\xBF\xBD"
                          "b",
                          " \xEF\xBF\xBD\xEF\xBF\xBD"));
}

TEST(StripSpaces, TakesUnicodesSpaces) {
  EXPECT_EQ(StripSpaces(" \t\xC2\xA0 a b\xE3\x80\x80\n"), "a b");
  EXPECT_EQ(StripSpaces("\xA0"), "\xA0");
  EXPECT_EQ(StripSpaces(" "), "");
}

}  // namespace
}  // namespace specinfer
