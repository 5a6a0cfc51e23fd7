// The transcriber with voice activity. A tone stands for speech, and a made-up
// model writes nonsense of it; with the real models where they are.
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "src/speech/speech_finder.h"
#include "src/speech/time_map.h"
#include "src/speech/transcriber.h"
#include "tests/speech/recordings.h"
#include "tests/speech/speech_models.h"
#include "tests/speech/tiny_whisper.h"
#include "tests/speech/voice_weights.h"
#include "tools/specinfer/english_normalizer.h"

namespace specinfer {
namespace {

class VoiceActivityUse : public ::testing::Test {
 protected:
  void SetUp() override {
    model_ = LoadTinyWhisper();
    ASSERT_NE(model_, nullptr);
    TranscriberOptions believes_all;
    believes_all.fallback.temperatures = {0.0f};
    believes_all.fallback.max_no_speech_probability.reset();
    auto transcriber = Transcriber::Create(model_, believes_all);
    ASSERT_TRUE(transcriber.ok()) << transcriber.status();
    transcriber_ = *std::move(transcriber);
  }

  void UseVoiceActivity() {
    const absl::Status status = transcriber_->UseVoiceActivity(
        LoadToneDetector(*model_->engine().memory));
    ASSERT_TRUE(status.ok()) << status;
  }

  Transcription Transcribe(absl::Span<const float> samples) {
    auto result = transcriber_->Transcribe(samples, options_);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *std::move(result) : Transcription{};
  }

  std::vector<float>& WatchProgress() {
    options_.progress = [this](float fraction) {
      fractions_.push_back(fraction);
      return true;
    };
    return fractions_;
  }

  std::shared_ptr<const Model> model_;
  std::unique_ptr<Transcriber> transcriber_;
  TranscriptionOptions options_;
  std::vector<float> fractions_;
};

// 80 s of speech in parts of 4 s with 3 s between them.
std::vector<float> MakeTalk() {
  std::vector<float> samples = MakeNoise(16000 * 140, 0.02);
  for (int i = 0; i < 20; ++i) AddTone(1.0 + 7.0 * i, 5.0 + 7.0 * i, &samples);
  return samples;
}

TEST_F(VoiceActivityUse, NothingIsDecodedWhereNobodySpeaks) {
  UseVoiceActivity();
  WatchProgress();

  const Transcription result = Transcribe(MakeNoise(16000 * 40, 0.05));

  EXPECT_TRUE(result.segments.empty());
  EXPECT_EQ(result.times.num_rounds, 0);
  EXPECT_EQ(result.times.num_tokens, 0);
  EXPECT_EQ(result.times.encode_us, 0);
  EXPECT_EQ(result.times.decode_us, 0);
  EXPECT_DOUBLE_EQ(result.audio_seconds, 40.0);
  EXPECT_EQ(result.speech_seconds, 0.0);
  EXPECT_TRUE(fractions_.empty());
}

// By definition: what is written is what is written of the speech alone, and
// times and progress are of the recording.
TEST_F(VoiceActivityUse, WindowsAreFullOfSpeech) {
  Memory memory(0);
  const std::vector<float> samples = MakeTalk();
  auto finder =
      SpeechFinder::Create(LoadToneDetector(memory), kRecordingSpeech, memory);
  ASSERT_TRUE(finder.ok()) << finder.status();
  std::vector<SpeechEvent> events;
  finder->Push(samples, &events);
  finder->Finish(&events);
  const std::vector<SpeechSegment> parts = SegmentsOf(events);
  ASSERT_EQ(parts.size(), 20u);
  std::vector<float> joined;
  for (const SpeechSegment& part : parts) {
    joined.insert(joined.end(), samples.begin() + part.begin,
                  samples.begin() + part.end);
  }
  WatchProgress();
  const Transcription expected = Transcribe(joined);
  const std::vector<float> expected_fractions = std::exchange(fractions_, {});
  ASSERT_FALSE(expected.segments.empty());
  UseVoiceActivity();

  const Transcription result = Transcribe(samples);

  EXPECT_DOUBLE_EQ(result.audio_seconds, 140.0);
  EXPECT_DOUBLE_EQ(result.speech_seconds, expected.audio_seconds);
  EXPECT_EQ(result.times.num_tokens, expected.times.num_tokens);
  const TimeMap map(parts);
  ASSERT_EQ(result.segments.size(), expected.segments.size());
  for (size_t i = 0; i < result.segments.size(); ++i) {
    const Segment& segment = result.segments[i];
    EXPECT_EQ(segment.tokens, expected.segments[i].tokens);
    EXPECT_EQ(segment.average_log_probability,
              expected.segments[i].average_log_probability);
    EXPECT_EQ(segment.start, map.BeginInRecording(expected.segments[i].start));
    EXPECT_EQ(segment.end, map.EndInRecording(expected.segments[i].end));
  }
  ASSERT_EQ(fractions_.size(), expected_fractions.size());
  ASSERT_GE(fractions_.size(), 3u);
  for (size_t i = 0; i + 1 < fractions_.size(); ++i) {
    EXPECT_NEAR(
        fractions_[i],
        map.BeginInRecording(static_cast<double>(expected_fractions[i]) *
                             expected.audio_seconds) /
            140.0,
        1e-3);
  }
  EXPECT_EQ(fractions_.back(), 1.0f);
}

TEST_F(VoiceActivityUse, ProgressGrowsToTheEndWithoutIt) {
  WatchProgress();

  Transcribe(MakeNoise(16000 * 75, 0.05));

  ASSERT_GE(fractions_.size(), 3u);
  for (size_t i = 1; i < fractions_.size(); ++i)
    EXPECT_GT(fractions_[i], fractions_[i - 1]);
  EXPECT_EQ(fractions_.back(), 1.0f);
}

TEST_F(VoiceActivityUse, EndsWhereItIsTakenBack) {
  const std::vector<float> samples = MakeNoise(16000 * 10, 0.05);
  const Transcription before = Transcribe(samples);
  UseVoiceActivity();
  EXPECT_EQ(Transcribe(samples).times.num_rounds, 0);
  ASSERT_TRUE(transcriber_->UseVoiceActivity(nullptr).ok());

  const Transcription after = Transcribe(samples);

  EXPECT_GT(after.times.num_tokens, 0);
  EXPECT_EQ(after.times.num_tokens, before.times.num_tokens);
  EXPECT_EQ(after.speech_seconds, 10.0);
}

TEST_F(VoiceActivityUse, FindsSpeechAtOtherRates) {
  UseVoiceActivity();
  // A tone of 1 kHz at 48 kHz, in two channels.
  options_.format = {.sample_rate = 48000, .num_channels = 2};
  std::vector<float> samples(2 * 48000 * 10);
  for (int i = 48000 * 4; i < 48000 * 6; ++i) {
    samples[2 * i] = samples[2 * i + 1] =
        static_cast<float>(0.5 * std::sin(2.0 * 3.14159265358979 / 48.0 * i));
  }
  const auto result = transcriber_->Transcribe(samples, options_);
  if (absl::IsUnimplemented(result.status()))
    GTEST_SKIP() << result.status().message();

  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_DOUBLE_EQ(result->audio_seconds, 10.0);
  EXPECT_NEAR(result->speech_seconds, 2.8, 0.07);
}

TEST_F(VoiceActivityUse, WrongLanguagesAreRefusedInSilence) {
  UseVoiceActivity();
  options_.language = "klingon";

  const auto result =
      transcriber_->Transcribe(std::vector<float>(16000), options_);

  EXPECT_TRUE(absl::IsInvalidArgument(result.status())) << result.status();
}

TEST(VoiceActivityOfRealModels, WritesWhatIsSaidAndNothingOfNoise) {
  const std::shared_ptr<const Model> model = LoadSpeechModel("whisper-tiny.en");
  const std::vector<float> speech = ReadRecording("clips/jfk.wav");
  if (model == nullptr || speech.empty())
    GTEST_SKIP() << "no whisper-tiny.en or no clips/jfk.wav";
  auto network = VoiceNetwork::Load(
      std::string(SPECINFER_MODELS) + "/silero_vad_16k.safetensors", {},
      *model->engine().memory);
  if (!network.ok()) GTEST_SKIP() << "no silero_vad_16k.safetensors";
  const auto transcriber = Transcriber::Create(model, {});
  ASSERT_TRUE(transcriber.ok()) << transcriber.status();
  ASSERT_TRUE((*transcriber)
                  ->UseVoiceActivity(
                      std::make_shared<const VoiceNetwork>(*std::move(network)))
                  .ok());

  for (const double scale : {0.0, 1e-3, 0.1, 0.8}) {
    const auto result =
        (*transcriber)->Transcribe(MakeNoise(16000 * 30, scale), {});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(result->segments.empty()) << scale;
    EXPECT_EQ(result->times.num_rounds, 0) << scale;
    EXPECT_EQ(result->times.encode_us, 0) << scale;
  }
  // 40 s of silence, speech, and 20 s of noise.
  std::vector<float> samples(16000 * 40);
  samples.insert(samples.end(), speech.begin(), speech.end());
  const std::vector<float> noise = MakeNoise(16000 * 20, 1e-3);
  samples.insert(samples.end(), noise.begin(), noise.end());
  const auto result = (*transcriber)->Transcribe(samples, {});
  ASSERT_TRUE(result.ok()) << result.status();
  std::string text;
  for (const Segment& segment : result->segments) text += segment.text;
  EXPECT_EQ(specinfer_cli::EnglishNormalizer().Normalize(text),
            "and so my fellow americans ask not what your country can do for "
            "you ask what you can do for your country");
  EXPECT_GE(result->segments.front().start, 39.5);
  EXPECT_LE(result->segments.back().end, 51.5);
  EXPECT_LT(result->speech_seconds, 13.0);
}

}  // namespace
}  // namespace specinfer
