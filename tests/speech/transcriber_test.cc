#include "src/speech/transcriber.h"

#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "src/backend/engine.h"
#include "tests/speech/recordings.h"
#include "tests/speech/speech_models.h"
#include "tools/specinfer/english_normalizer.h"
#include <nlohmann/json.hpp>

namespace specinfer {
namespace {

constexpr char kJfk[] =
    "And so, my fellow Americans, ask not what your country can do for you, "
    "ask what you can do for your country.";

TEST(TranscriberTest, HearsASpeech) {
  const std::vector<float> samples = ReadRecording("clips/jfk.wav");
  const std::shared_ptr<const Model> model = LoadSpeechModel("whisper-base");
  if (samples.empty() || model == nullptr)
    GTEST_SKIP() << "no clips/jfk.wav or no whisper-base";
  const auto transcriber = Transcriber::Create(model, {});
  ASSERT_TRUE(transcriber.ok()) << transcriber.status();

  const auto result = (*transcriber)->Transcribe(samples, {});

  ASSERT_TRUE(result.ok()) << result.status();
  std::string text;
  for (const Segment& segment : result->segments) text += segment.text;
  const specinfer_cli::EnglishNormalizer normalizer;
  EXPECT_EQ(normalizer.Normalize(text), normalizer.Normalize(kJfk));
  ASSERT_NE(result->language, nullptr);
  EXPECT_EQ(result->language->code, "en");
  EXPECT_GE(result->segments.front().start, 0.0);
  EXPECT_LE(result->segments.back().end, 11.0);
}

// The words of three clips begin where faster-whisper 1.2.1 has them.
TEST(TranscriberTest, TimesWordsAsFasterWhisper) {
  const std::shared_ptr<const Model> model =
      LoadSpeechModel("whisper-base", WeightForm::kAsFiled);
  if (ReadRecording("clips/jfk.wav").empty() || model == nullptr)
    GTEST_SKIP() << "no clips/jfk.wav or no whisper-base";
  std::ifstream file(std::string(SPECINFER_TESTDATA) +
                     "/speech/word_starts.json");
  const nlohmann::json clips = nlohmann::json::parse(file);
  ASSERT_EQ(clips.size(), 3u);
  const auto transcriber = Transcriber::Create(model, {});
  ASSERT_TRUE(transcriber.ok()) << transcriber.status();
  TranscriptionOptions options;
  options.language = "en";
  options.has_word_times = true;
  for (const nlohmann::json& clip : clips) {
    SCOPED_TRACE(clip["clip"].get<std::string>());
    const std::vector<float> samples =
        ReadRecording("clips/" + clip["clip"].get<std::string>());

    const auto result = (*transcriber)->Transcribe(samples, options);

    ASSERT_TRUE(result.ok()) << result.status();
    std::vector<SpokenWord> words;
    for (const Segment& segment : result->segments)
      words.insert(words.end(), segment.words.begin(), segment.words.end());
    ASSERT_EQ(words.size(), clip["words"].size());
    for (size_t i = 0; i < words.size(); ++i) {
      const nlohmann::json& expected = clip["words"][i];
      EXPECT_EQ(words[i].text, expected[0].get<std::string>());
      EXPECT_NEAR(words[i].start, expected[1].get<double>(), 0.041)
          << words[i].text;
    }
  }
}

std::string Hear(Transcriber& transcriber, const std::string& clip,
                 const std::string& hotwords, float bias) {
  TranscriptionOptions options;
  options.language = "en";
  options.hotwords = hotwords;
  options.hotword_bias = bias;
  const auto result = transcriber.Transcribe(ReadRecording(clip), options);
  EXPECT_TRUE(result.ok()) << result.status();
  std::string text;
  for (const Segment& segment : result->segments) text += segment.text;
  return text;
}

// A game of cards, in which "clubs" sounds like "cloves".
TEST(TranscriberTest, HearsTheWordsOfAGame) {
  const std::shared_ptr<const Model> model = LoadSpeechModel("whisper-base");
  if (ReadRecording("clips/cards-001.wav").empty() || model == nullptr)
    GTEST_SKIP() << "no clips/cards-001.wav or no whisper-base";
  const auto transcriber = Transcriber::Create(model, {});
  ASSERT_TRUE(transcriber.ok()) << transcriber.status();
  const char* clip = "clips/cards-001.wav";
  EXPECT_EQ(Hear(**transcriber, clip, "", 3.0f), " 10 of cloves.");
  EXPECT_EQ(Hear(**transcriber, clip, "clubs, spades, hearts, diamonds", 3.0f),
            " 10 of clubs.");
}

TEST(TranscriberTest, HearsNoHotwordsThatNobodySays) {
  constexpr char kNames[] =
      "Kubernetes, Nguyen, Siobhan, Xanthe, Aaron, Theodore, Katherine, "
      "Wojciech, Daenerys, Grafana, PostgreSQL, Zelda, Elrond, Anakin, "
      "Haskell, Terraform, Bj\u00F6rk, Eowyn, Hermione, Ivanov";
  if (ReadRecording("clips/jfk.wav").empty()) GTEST_SKIP() << "no clips";
  for (const char* name : {"whisper-base", "whisper-tiny.en"}) {
    const std::shared_ptr<const Model> model = LoadSpeechModel(name);
    if (model == nullptr) GTEST_SKIP() << "no " << name;
    const auto transcriber = Transcriber::Create(model, {});
    ASSERT_TRUE(transcriber.ok()) << transcriber.status();
    for (const auto& entry : std::filesystem::directory_iterator(
             std::string(SPECINFER_DATA) + "/clips")) {
      if (entry.path().extension() != ".wav") continue;
      const std::string clip = "clips/" + entry.path().filename().string();
      EXPECT_EQ(Hear(**transcriber, clip, kNames, 3.0f),
                Hear(**transcriber, clip, "", 3.0f))
          << clip << " by " << name;
    }
  }
}

// Whatever is heard, it is no crash.
TEST(TranscriberTest, SurvivesAnySound) {
  const std::shared_ptr<const Model> model = LoadSpeechModel("whisper-tiny.en");
  if (model == nullptr) GTEST_SKIP() << "no whisper-tiny.en";
  const auto transcriber = Transcriber::Create(model, {});
  ASSERT_TRUE(transcriber.ok()) << transcriber.status();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> sounds[] = {
      {},
      {0.5f},
      std::vector<float>(100, 1.0f),
      std::vector<float>(16000, 0.0f),
      std::vector<float>(16000, nan),
      std::vector<float>(16000, -infinity),
      std::vector<float>(16000, 1e30f),
      MakeNoise(40000, 1e-4),
      MakeSquare(48000),
  };
  for (const std::vector<float>& sound : sounds) {
    const auto result = (*transcriber)->Transcribe(sound, {});
    ASSERT_TRUE(result.ok()) << result.status();
    for (const Segment& segment : result->segments) {
      EXPECT_LE(segment.start, segment.end);
      EXPECT_LE(segment.end, result->audio_seconds + 0.02);
    }
  }
}

TEST(TranscriberTest, StopsWhereItsProgressIsRefused) {
  const std::shared_ptr<const Model> model = LoadSpeechModel("whisper-tiny.en");
  if (model == nullptr) GTEST_SKIP() << "no whisper-tiny.en";
  const auto transcriber = Transcriber::Create(model, {});
  ASSERT_TRUE(transcriber.ok()) << transcriber.status();
  TranscriptionOptions options;
  int num_calls = 0;
  options.progress = [&](float) { return ++num_calls < 2; };

  const auto result =
      (*transcriber)->Transcribe(MakeNoise(16000 * 100, 0.1), options);

  EXPECT_TRUE(absl::IsCancelled(result.status())) << result.status();
  EXPECT_EQ(num_calls, 2);
}

TEST(TranscriberTest, RefusesLanguagesThatTheModelLacks) {
  const std::shared_ptr<const Model> english =
      LoadSpeechModel("whisper-tiny.en");
  const std::shared_ptr<const Model> all = LoadSpeechModel("whisper-base");
  if (english == nullptr || all == nullptr)
    GTEST_SKIP() << "no whisper-tiny.en or no whisper-base";
  const std::vector<float> silence(16000);
  for (const auto& [model, language] :
       {std::pair(english, "de"), std::pair(all, "klingon")}) {
    const auto transcriber = Transcriber::Create(model, {});
    ASSERT_TRUE(transcriber.ok()) << transcriber.status();
    TranscriptionOptions options;
    options.language = language;
    const auto result = (*transcriber)->Transcribe(silence, options);
    EXPECT_TRUE(absl::IsInvalidArgument(result.status())) << result.status();
  }
}

TEST(TranscriberTest, NeedsAModelOfSpeech) {
  const auto transcriber =
      Transcriber::Create(LoadTiny("tiny-llama", MakeEngine()), {});
  EXPECT_TRUE(absl::IsFailedPrecondition(transcriber.status()));
}

TEST(TranscriberTest, SaysTheSameOnAnyNumberOfThreads) {
  const std::vector<float> samples = ReadRecording("clips/jfk.wav");
  std::vector<Token> first;
  for (const int num_threads : {1, 2}) {
    const std::shared_ptr<const Model> model =
        LoadSpeechModel("whisper-tiny.en", std::nullopt, num_threads);
    if (samples.empty() || model == nullptr)
      GTEST_SKIP() << "no clips/jfk.wav or no whisper-tiny.en";
    const auto transcriber = Transcriber::Create(model, {});
    ASSERT_TRUE(transcriber.ok()) << transcriber.status();
    const auto result = (*transcriber)->Transcribe(samples, {});
    ASSERT_TRUE(result.ok()) << result.status();
    std::vector<Token> tokens;
    for (const Segment& segment : result->segments)
      tokens.insert(tokens.end(), segment.tokens.begin(), segment.tokens.end());
    if (first.empty()) first = tokens;
    EXPECT_EQ(tokens, first);
    EXPECT_GT(tokens.size(), 20u);
  }
}

TEST(TranscriberTest, SaysTheSameWhateverIsExpectedOrChosenToDraft) {
  const std::vector<float> samples = ReadRecording("clips/jfk.wav");
  const std::shared_ptr<const Model> model = LoadSpeechModel("whisper-tiny.en");
  if (samples.empty() || model == nullptr)
    GTEST_SKIP() << "no clips/jfk.wav or no whisper-tiny.en";
  auto decoder = WindowDecoder::Create(model, {}, {});
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  auto mel = LogMel::Create(80, *model->engine().memory);
  std::vector<float> frames(3000 * 80);
  mel->ComputeWindow(samples, 3000, absl::MakeSpan(frames));
  ASSERT_TRUE((*decoder)->Encode(frames, {}).ok());
  WindowRequest request;
  request.strategy = Strategy::kOff;
  const auto plain = (*decoder)->Decode(request, {});
  ASSERT_TRUE(plain.ok()) << plain.status();
  const std::vector<Token> tokens = (*plain)->tokens;
  const float log_probability = (*plain)->average_log_probability;
  const int64_t plain_rounds = (*decoder)->times().num_rounds;
  ASSERT_GT(tokens.size(), 20u);

  // What was said, and that with a wrong word in the middle.
  std::vector<Token> wrong = tokens;
  wrong[wrong.size() / 2] = 1000;
  for (const std::vector<Token>& expected : {tokens, wrong}) {
    request.expected = expected;
    request.strategy = Strategy::kAuto;
    const int64_t before = (*decoder)->times().num_rounds;
    const auto guessed = (*decoder)->Decode(request, {});
    ASSERT_TRUE(guessed.ok()) << guessed.status();
    EXPECT_EQ((*guessed)->tokens, tokens);
    EXPECT_EQ((*guessed)->average_log_probability, log_probability);
    EXPECT_LT((*decoder)->times().num_rounds - before, plain_rounds / 2);
  }
}

}  // namespace
}  // namespace specinfer
