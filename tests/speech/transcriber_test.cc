#include "src/speech/transcriber.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "src/backend/engine.h"
#include "tests/speech/recordings.h"
#include "tests/speech/speech_models.h"
#include "tools/specinfer/english_normalizer.h"

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
