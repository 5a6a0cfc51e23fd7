#include "src/speech/fallback.h"

#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "src/speech/compression_ratio.h"
#include "src/speech/repetition_guard.h"
#include "tests/speech/tiny_speech_vocabulary.h"
#include "tests/speech/whisper_files.h"

namespace specinfer {
namespace {

// One case a line: log-probability, compression ratio and no-speech probability
// of six tries | how many were made, which was taken, the temperature, whether
// the window is skipped, whether the prompt is reset; from faster-whisper
// 1.2.1's generate_with_fallback.
TEST(Fallback, DecidesAsFasterWhisperDoes) {
  std::ifstream file(std::string(SPECINFER_TESTDATA) + "/speech/fallback.txt");
  Fallback fallback({});
  int num_cases = 0;
  for (std::string line; std::getline(file, line); ++num_cases) {
    std::istringstream fields(line);
    std::vector<DecodedWindow> tries(6);
    for (DecodedWindow& window : tries) {
      fields >> window.average_log_probability >> window.compression_ratio >>
          window.no_speech_probability;
    }
    std::string bar;
    size_t num_tries = 0, taken = 0;
    float temperature = 0.0f;
    bool is_silence = false, resets = false;
    fields >> bar >> num_tries >> taken >> temperature >> is_silence >> resets;

    fallback.Begin(1);
    size_t made = 0;
    while (const auto next = fallback.NextTemperature()) {
      tries[made].temperature = *next;
      tries[made].tokens = {static_cast<Token>(made)};
      fallback.Add(tries[made++]);
    }

    ASSERT_EQ(made, num_tries) << line;
    ASSERT_EQ(fallback.result().tokens[0], static_cast<Token>(taken)) << line;
    ASSERT_FLOAT_EQ(fallback.result().temperature, temperature) << line;
    ASSERT_EQ(fallback.IsSilence(), is_silence) << line;
    ASSERT_EQ(fallback.ResetsPrompt(), resets) << line;
  }
  EXPECT_EQ(num_cases, 300);
}

// Of each try above temperature 0 the likeliest candidate that does not repeat
// itself is what is judged.
TEST(Fallback, JudgesTheBestOfSeveral) {
  Fallback fallback({.temperatures = {0.0f, 0.5f, 1.0f}});
  const auto add = [&](float log_probability, float compression_ratio,
                       int32_t candidate, float temperature) {
    const auto next = fallback.NextTemperature();
    ASSERT_TRUE(next.has_value());
    EXPECT_EQ(*next, temperature);
    EXPECT_EQ(fallback.candidate(), candidate);
    fallback.Add({.temperature = *next,
                  .average_log_probability = log_probability,
                  .compression_ratio = compression_ratio});
  };
  fallback.Begin(3);
  add(-2.0f, 1.0f, 0, 0.0f);  // there is but one likeliest text
  add(-1.5f, 1.0f, 0, 0.5f);
  add(-1.2f, 1.0f, 1, 0.5f);
  add(-0.1f, 9.0f, 2, 0.5f);
  EXPECT_FLOAT_EQ(fallback.result().average_log_probability, -1.2f);
  add(-0.2f, 9.0f, 0, 1.0f);
  add(-0.9f, 1.0f, 1, 1.0f);
  add(-0.95f, 1.0f, 2, 1.0f);
  EXPECT_FALSE(fallback.NextTemperature().has_value());
  EXPECT_FLOAT_EQ(fallback.result().average_log_probability, -0.9f);
  EXPECT_TRUE(fallback.ResetsPrompt());

  fallback.Begin(3);
  add(-0.5f, 1.0f, 0, 0.0f);
  EXPECT_FALSE(fallback.NextTemperature().has_value());
}

TEST(Fallback, ThresholdsThatAreAbsentDoNotApply) {
  const FallbackOptions options{.max_compression_ratio = std::nullopt,
                                .min_log_probability = std::nullopt,
                                .max_no_speech_probability = std::nullopt};
  const DecodedWindow window{.average_log_probability = -9.0f,
                             .no_speech_probability = 1.0f,
                             .compression_ratio = 99.0f};

  EXPECT_EQ(Judge(options, window), Verdict::kAccept);
  Fallback fallback(options);
  fallback.Begin(1);
  fallback.Add(window);
  EXPECT_FALSE(fallback.NextTemperature().has_value());
  EXPECT_FALSE(fallback.IsSilence());
}

TEST(Fallback, SilenceWithoutALogProbabilityIsByNoSpeechAlone) {
  Fallback fallback({.min_log_probability = std::nullopt});
  fallback.Begin(1);
  fallback.Add(
      {.average_log_probability = -0.1f, .no_speech_probability = 0.7f});

  EXPECT_TRUE(fallback.IsSilence());
}

TEST(Fallback, ALoopIsTriedAgain) {
  DecodedWindow window{.average_log_probability = -0.1f,
                       .compression_ratio = 1.0f};
  EXPECT_EQ(Judge({}, window), Verdict::kAccept);
  window.is_loop = true;
  EXPECT_EQ(Judge({}, window), Verdict::kTryAgain);
}

TEST(Fallback, OneTemperatureIsOneTry) {
  Fallback fallback({.temperatures = {0.0f}});
  fallback.Begin(1);
  ASSERT_EQ(fallback.NextTemperature(), 0.0f);
  fallback.Add({.average_log_probability = -5.0f});

  EXPECT_FALSE(fallback.NextTemperature().has_value());
  EXPECT_EQ(fallback.result().average_log_probability, -5.0f);
}

std::string Repeated(const std::string& text, int count) {
  std::string repeated;
  for (int i = 0; i < count; ++i) repeated += text;
  return repeated;
}

// len(text.encode()) / len(zlib.compress(text.encode())) in Python 3.11.
TEST(CompressionRatio, IsPythons) {
  EXPECT_EQ(CompressionRatio(""), 0.0f);
  EXPECT_FLOAT_EQ(CompressionRatio("a"), 0.1111111111111111f);
  EXPECT_FLOAT_EQ(CompressionRatio("Thank you."), 0.5555555555555556f);
  EXPECT_FLOAT_EQ(CompressionRatio("no, no, no, no"), 1.0f);
  EXPECT_FLOAT_EQ(
      CompressionRatio("And so my fellow Americans ask not what your country "
                       "can do for you, ask what you can do for your country."),
      1.3417721518987342f);
  EXPECT_FLOAT_EQ(CompressionRatio(Repeated(" Thank you.", 20)), 10.0f);
  EXPECT_FLOAT_EQ(CompressionRatio(Repeated("a", 400)), 28.571428571428573f);
  EXPECT_FLOAT_EQ(CompressionRatio(Repeated("日本語", 30)), 11.73913043478261f);
}

class RepetitionGuardOf : public testing::Test {
 protected:
  // After how many tokens the text is a loop; 0: never.
  size_t LoopAfter(const std::vector<Token>& text,
                   RepetitionGuardOptions options = {}) {
    RepetitionGuard guard(tokens_, options, /*max_tokens=*/224);
    for (size_t i = 0; i < text.size(); ++i) {
      if (guard.Append(text[i])) return i + 1;
    }
    return 0;
  }

  static std::vector<Token> Repeat(const std::vector<Token>& gram, int count) {
    std::vector<Token> text;
    for (int i = 0; i < count; ++i)
      text.insert(text.end(), gram.begin(), gram.end());
    return text;
  }

  const SpeechTokens tokens_ =
      *SpeechTokens::Create(*TinySpeechTokenizer(), kTinyTimestampBegin + 1501);
};

TEST_F(RepetitionGuardOf, FindsLoopsOfEveryLength) {
  for (int period = 1; period <= 28; ++period) {
    std::vector<Token> gram;
    for (int i = 0; i < period; ++i) gram.push_back('a' + i);
    std::vector<Token> text = {'!', '?'};
    const std::vector<Token> loop = Repeat(gram, 48);
    text.insert(text.end(), loop.begin(), loop.end());
    text.resize(224);

    const size_t expected = static_cast<size_t>(std::max(48, 8 * period));
    EXPECT_EQ(LoopAfter(text), expected + 2 <= 224 ? expected + 2 : 0)
        << period;
  }
}

TEST_F(RepetitionGuardOf, TimestampsDoNotHideALoop) {
  std::vector<Token> text;
  for (int i = 0; i < 20; ++i) {
    text.insert(text.end(), {kTinyTimestampBegin + 50 * i, 'T', 'h', 'a', 'n',
                             'k', 's', kTinyTimestampBegin + 50 * i + 50});
  }
  EXPECT_EQ(LoopAfter(text), 8u * 8u - 1u);
}

TEST_F(RepetitionGuardOf, ChangesEndALoop) {
  std::vector<Token> text = Repeat({'n', ','}, 23);
  text.push_back('!');
  const std::vector<Token> more = Repeat({'n', ','}, 23);
  text.insert(text.end(), more.begin(), more.end());

  EXPECT_EQ(LoopAfter(text), 0u);
}

TEST_F(RepetitionGuardOf, MayBeSwitchedOff) {
  EXPECT_EQ(LoopAfter(Repeat({'a'}, 224), {.min_repeats = 0}), 0u);
}

TEST_F(RepetitionGuardOf, BeginForgets) {
  RepetitionGuard guard(tokens_, {}, /*max_tokens=*/60);
  for (int i = 0; i < 47; ++i) EXPECT_FALSE(guard.Append('a'));
  guard.Begin();
  for (int i = 0; i < 47; ++i) EXPECT_FALSE(guard.Append('a'));
  EXPECT_TRUE(guard.Append('a'));
}

// What people say again and again, in tokens of a real vocabulary.
TEST_F(RepetitionGuardOf, LetsPeopleRepeatThemselves) {
  const auto tokenizer = WhisperTokenizer("whisper-base");
  SPECINFER_SKIP_WITHOUT(tokenizer, "whisper-base");
  for (const std::string& text :
       {std::string(" No, no, no, no."), Repeated(" no,", 20),
        Repeated(" Ha", 40), Repeated(" We will, we will rock you.", 7),
        Repeated(" yeah", 30), Repeated(" Row, row, row your boat,", 6),
        std::string(" One, two, three, four, one, two, three, four, one, two, "
                    "three, four, one, two, three, four.")}) {
    std::vector<Token> tokens;
    ASSERT_TRUE(tokenizer->Tokenize(text, false, &tokens).ok());
    EXPECT_EQ(LoopAfter(tokens), 0u) << text;
  }
}

// Nothing is a loop that Whisper's own test would believe.
TEST_F(RepetitionGuardOf, LoopsAreMoreRepetitiveThanTheThreshold) {
  std::mt19937 random(3);
  for (int i = 0; i < 2000; ++i) {
    std::vector<Token> gram(1 + random() % 28);
    for (Token& token : gram) token = 32 + static_cast<Token>(random() % 95);
    const std::vector<Token> text = Repeat(gram, 48);
    const size_t length = LoopAfter(text);
    if (length == 0) continue;
    std::string run;
    for (size_t j = 0; j < length; ++j)
      run.push_back(static_cast<char>(text[j]));
    ASSERT_GT(CompressionRatio(run), 2.4f) << run;
  }
}

}  // namespace
}  // namespace specinfer
