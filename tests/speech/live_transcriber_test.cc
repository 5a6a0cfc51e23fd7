// Live sound: what is told, in which order, and that it does not depend on how
// the sound came.
#include "src/speech/live_transcriber.h"

#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "src/base/clock.h"
#include "tests/speech/recordings.h"
#include "tests/speech/speech_models.h"
#include "tests/speech/tiny_whisper.h"
#include "tests/speech/voice_weights.h"
#include "tools/specinfer/english_normalizer.h"

namespace specinfer {
namespace {

using Kind = LiveEvent::Kind;

struct Heard {
  std::vector<LiveEvent> events;

  std::vector<LiveEvent> Of(Kind kind) const {
    std::vector<LiveEvent> some;
    for (const LiveEvent& event : events) {
      if (event.kind == kind) some.push_back(event);
    }
    return some;
  }
  std::string FinalText() const {
    std::string text;
    for (const LiveEvent& event : Of(Kind::kFinal)) text += event.segment.text;
    return text;
  }
};

// Steps until there is nothing to do, or the end.
void StepAll(LiveTranscriber& live, Heard* heard) {
  while (true) {
    LiveEvent event;
    const absl::Status status = live.Step({}, &event);
    ASSERT_TRUE(status.ok()) << status;
    if (event.kind == Kind::kNothing) return;
    heard->events.push_back(event);
    if (event.kind == Kind::kEnd) return;
  }
}

// Pushes `samples` in blocks, stepping after each.
Heard Listen(LiveTranscriber& live, const std::vector<float>& samples,
             size_t block) {
  Heard heard;
  for (size_t begin = 0; begin < samples.size(); begin += block) {
    const size_t size = std::min(block, samples.size() - begin);
    EXPECT_EQ(live.input().Push({&samples[begin], size}), size);
    StepAll(live, &heard);
  }
  live.input().Finish();
  StepAll(live, &heard);
  return heard;
}

// Of each utterance a begin, partial texts, final segments and an end.
void ExpectOrder(const Heard& heard) {
  bool is_speaking = false;
  double now = 0.0;
  std::string stable;
  for (const LiveEvent& event : heard.events) {
    switch (event.kind) {
      case Kind::kSpeechBegin:
        EXPECT_FALSE(is_speaking);
        is_speaking = true;
        break;
      case Kind::kPartial:
        EXPECT_TRUE(is_speaking);
        EXPECT_LE(event.stable_length, event.segment.text.size());
        EXPECT_EQ(event.segment.text.substr(0, stable.size()), stable);
        stable = event.segment.text.substr(0, event.stable_length);
        EXPECT_LE(event.segment.start, event.segment.end);
        break;
      case Kind::kFinal:
        EXPECT_TRUE(is_speaking);
        EXPECT_GE(event.segment.start, now - 0.03) << event.segment.text;
        EXPECT_LE(event.segment.start, event.segment.end);
        now = event.segment.end;
        stable.clear();
        break;
      case Kind::kSpeechEnd:
        EXPECT_TRUE(is_speaking);
        is_speaking = false;
        stable.clear();
        break;
      case Kind::kEnd:
        EXPECT_FALSE(is_speaking);
        EXPECT_EQ(&event, &heard.events.back());
        break;
      case Kind::kNothing:
        ADD_FAILURE();
    }
  }
  ASSERT_FALSE(heard.events.empty());
  EXPECT_EQ(heard.events.back().kind, Kind::kEnd);
}

// By a network whose words are nonsense, and without voice activity: all sound
// is one utterance.
class TinyLiveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FallbackOptions fallback;
    fallback.temperatures = {0.0f};
    fallback.max_no_speech_probability.reset();
    auto decoder = WindowDecoder::Create(LoadTinyWhisper(), fallback, {});
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    decoder_ = *std::move(decoder);
  }
  std::unique_ptr<LiveTranscriber> Make(double partial_seconds,
                                        int num_channels = 1) {
    LiveOptions options;
    options.text.language = "en";
    options.partial_seconds = partial_seconds;
    options.sound.format.num_channels = num_channels;
    auto live = LiveTranscriber::Create(*decoder_, options);
    EXPECT_TRUE(live.ok()) << live.status();
    return *std::move(live);
  }
  std::unique_ptr<WindowDecoder> decoder_;
};

TEST_F(TinyLiveTest, TellsUtterancesInOrder) {
  const auto live = Make(0.5);
  const Heard heard = Listen(*live, MakeNoise(96000, 0.5), 3000);
  ExpectOrder(heard);
  EXPECT_GE(heard.Of(Kind::kPartial).size(), 1u);
  EXPECT_EQ(heard.Of(Kind::kSpeechBegin).size(), 1u);
  EXPECT_EQ(heard.Of(Kind::kSpeechEnd).size(), 1u);
  ASSERT_GE(heard.Of(Kind::kFinal).size(), 1u);
  EXPECT_NEAR(heard.Of(Kind::kSpeechEnd)[0].segment.end, 6.0, 0.01);
}

// Partial texts are drafts of the final one: guesses that never change it.
TEST_F(TinyLiveTest, SaysTheSameWhateverWasPartial) {
  const std::vector<float> samples = MakeNoise(96000, 0.5);
  const std::string plain = Listen(*Make(0.0), samples, 96000).FinalText();
  EXPECT_FALSE(plain.empty());
  EXPECT_EQ(Listen(*Make(0.3), samples, 1600).FinalText(), plain);
  EXPECT_EQ(Listen(*Make(1.0), samples, 777).FinalText(), plain);
}

TEST_F(TinyLiveTest, TakesOneSampleAtATime) {
  const std::vector<float> samples = MakeNoise(4000, 0.5);
  const std::string whole = Listen(*Make(0.0), samples, 4000).FinalText();
  EXPECT_EQ(Listen(*Make(0.0), samples, 1).FinalText(), whole);
}

TEST_F(TinyLiveTest, AFullWindowIsFinal) {
  const auto live = Make(0.0);
  const Heard heard = Listen(*live, MakeNoise(16000 * 65, 0.5), 16000);
  ExpectOrder(heard);
  EXPECT_GE(heard.Of(Kind::kFinal).size(), 3u);
  EXPECT_EQ(heard.Of(Kind::kSpeechEnd).size(), 1u);
}

TEST_F(TinyLiveTest, APauseEndsTheUtteranceAndTakesItsTime) {
  const auto live = Make(0.0);
  const std::vector<float> samples = MakeNoise(16000, 0.5);
  Heard heard;
  live->input().Push(samples);
  live->input().Pause();
  StepAll(*live, &heard);
  EXPECT_EQ(heard.Of(Kind::kSpeechEnd).size(), 1u);
  live->input().Push(samples);  // not heard
  StepAll(*live, &heard);
  EXPECT_EQ(heard.Of(Kind::kSpeechBegin).size(), 1u);
  live->input().Resume();
  live->input().Push(samples);
  live->input().Finish();
  StepAll(*live, &heard);

  ExpectOrder(heard);
  const auto begins = heard.Of(Kind::kSpeechBegin);
  ASSERT_EQ(begins.size(), 2u);
  EXPECT_NEAR(begins[1].segment.start, 2.0, 1e-9);
  EXPECT_NEAR(heard.Of(Kind::kSpeechEnd)[1].segment.end, 3.0, 0.01);
}

TEST_F(TinyLiveTest, RefusesWhatDoesNotFitAndLosesNothing) {
  const auto live = Make(0.0);
  const std::vector<float> samples = MakeNoise(16000 * 40, 0.5);
  size_t pushed = live->input().Push(samples);
  EXPECT_LT(pushed, samples.size());
  EXPECT_GE(pushed, size_t{16000} * 30);
  Heard heard;
  StepAll(*live, &heard);
  EXPECT_EQ(live->input().Push(absl::MakeConstSpan(samples).subspan(pushed)),
            samples.size() - pushed);
  live->input().Finish();
  StepAll(*live, &heard);
  EXPECT_NEAR(heard.Of(Kind::kSpeechEnd)[0].segment.end, 40.0, 0.01);
}

TEST_F(TinyLiveTest, HearsAnyFormat) {
  for (const AudioFormat format :
       {AudioFormat{8000, 1}, AudioFormat{44100, 2}, AudioFormat{96000, 8}}) {
    LiveOptions options;
    options.text.language = "en";
    options.partial_seconds = 0.0;
    options.sound.format = format;
    auto live = LiveTranscriber::Create(*decoder_, options);
    ASSERT_TRUE(live.ok()) << live.status();
    const size_t num_samples =
        static_cast<size_t>(format.sample_rate * format.num_channels * 5 / 4);
    const Heard heard = Listen(**live, MakeNoise(num_samples, 0.5), 9600);
    ExpectOrder(heard);
    ASSERT_EQ(heard.Of(Kind::kSpeechEnd).size(), 1u);
    EXPECT_NEAR(heard.Of(Kind::kSpeechEnd)[0].segment.end, 1.25, 0.01)
        << format.sample_rate;
    EXPECT_GE(heard.Of(Kind::kFinal).size(), 1u) << format.sample_rate;
  }
}

TEST_F(TinyLiveTest, LosesNoFrameOfSoundThatIsNotANumber) {
  std::vector<float> samples = MakeNoise(16000, 0.5);
  for (size_t i = 0; i < samples.size(); i += 7)
    samples[i] = std::numeric_limits<float>::quiet_NaN();
  const Heard heard = Listen(*Make(0.5), samples, 1600);
  ExpectOrder(heard);
  EXPECT_NEAR(heard.Of(Kind::kSpeechEnd)[0].segment.end, 1.0, 0.01);
}

TEST_F(TinyLiveTest, HearsNothingInNoSound) {
  const Heard heard = Listen(*Make(0.5), {}, 1);
  ASSERT_EQ(heard.events.size(), 1u);
  EXPECT_EQ(heard.events[0].kind, Kind::kEnd);
}

TEST_F(TinyLiveTest, CancelLosesTheTextInWorkAlone) {
  const auto live = Make(0.0);
  live->input().Push(MakeNoise(16000, 0.5));
  live->input().Pause();
  const std::atomic<bool> is_cancelled{true};
  LiveEvent event;
  ASSERT_TRUE(live->Step({}, &event).ok());
  ASSERT_EQ(event.kind, Kind::kSpeechBegin);
  EXPECT_TRUE(
      absl::IsCancelled(live->Step({.is_cancelled = &is_cancelled}, &event)));
  live->input().Resume();
  live->input().Push(MakeNoise(16000, 0.5));
  live->input().Finish();
  Heard heard;
  StepAll(*live, &heard);
  EXPECT_EQ(heard.Of(Kind::kSpeechEnd).size(), 2u);
  EXPECT_GE(heard.Of(Kind::kFinal).size(), 1u);
}

TEST_F(TinyLiveTest, ShortContextsHaveFinalTextsAlone) {
  auto decoder = WindowDecoder::Create(
      LoadTinyWhisper("cpu", /*num_threads=*/1, /*text_context=*/16), {}, {});
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  decoder_ = *std::move(decoder);
  const Heard heard = Listen(*Make(0.5), MakeNoise(48000, 0.5), 1600);
  ExpectOrder(heard);
  EXPECT_EQ(heard.Of(Kind::kPartial).size(), 0u);
  EXPECT_EQ(heard.Of(Kind::kSpeechEnd).size(), 1u);
}

TEST_F(TinyLiveTest, SlicesOfTimeSayTheSame) {
  const std::vector<float> samples = MakeNoise(16000, 0.5);
  const std::string whole = Listen(*Make(0.0), samples, 16000).FinalText();
  const auto live = Make(0.0);
  live->input().Push(samples);
  live->input().Finish();
  std::string text;
  int num_slices = 0;
  for (LiveEvent event; event.kind != Kind::kEnd;) {
    const absl::Status status =
        live->Step({.deadline_us = NowMicros()}, &event);
    if (absl::IsDeadlineExceeded(status)) {
      ++num_slices;
      continue;
    }
    ASSERT_TRUE(status.ok()) << status;
    if (event.kind == Kind::kFinal) text += event.segment.text;
  }
  EXPECT_EQ(text, whole);
  EXPECT_GT(num_slices, 3);
}

// A tone stands for speech.
class ToneLiveTest : public TinyLiveTest {
 protected:
  std::unique_ptr<LiveTranscriber> MakeForTones(double partial_seconds) {
    LiveOptions options;
    options.text.language = "en";
    options.partial_seconds = partial_seconds;
    options.sound.voice = LoadToneDetector(*decoder_->model().engine().memory);
    auto live = LiveTranscriber::Create(*decoder_, options);
    EXPECT_TRUE(live.ok()) << live.status();
    return *std::move(live);
  }
};

// The model writes as much as there is room for, so that what is carried to the
// next utterance leaves none.
TEST_F(ToneLiveTest, EachUtteranceHasItsTextHoweverLongTheLastOneWas) {
  std::vector<float> samples = MakeNoise(16000 * 40, 0.02);
  for (int i = 0; i < 9; ++i) AddTone(1.0 + 4.0 * i, 3.8 + 4.0 * i, &samples);
  for (const double partial_seconds : {0.0, 0.5}) {
    const auto live = MakeForTones(partial_seconds);
    const Heard heard = Listen(*live, samples, 1600);
    ExpectOrder(heard);
    ASSERT_EQ(heard.Of(Kind::kSpeechEnd).size(), 9u);
    int num_finals = 0;
    for (const LiveEvent& event : heard.events) {
      num_finals += event.kind == Kind::kFinal ? 1 : 0;
      if (event.kind != Kind::kSpeechEnd) continue;
      EXPECT_GE(num_finals, 1) << event.segment.end;
      num_finals = 0;
    }
  }
}

TEST_F(ToneLiveTest, WorksOnNothingInSilence) {
  const Heard heard =
      Listen(*MakeForTones(0.5), MakeNoise(16000 * 20, 0.02), 1600);
  ASSERT_EQ(heard.events.size(), 1u);
  EXPECT_EQ(heard.events[0].times.encode_us, 0);
}

// With real weights, where they are there.
class RealLiveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path =
        std::string(SPECINFER_MODELS) + "/silero_vad_16k.safetensors";
    model_ = LoadSpeechModel("whisper-tiny.en");
    if (model_ == nullptr || !std::filesystem::exists(path))
      GTEST_SKIP() << "no whisper-tiny.en or no silero_vad_16k.safetensors";
    auto voice = VoiceNetwork::Load(path, model_->engine().file_reader,
                                    *model_->engine().memory);
    ASSERT_TRUE(voice.ok()) << voice.status();
    voice_ = std::make_shared<VoiceNetwork>(*std::move(voice));
    auto decoder = WindowDecoder::Create(model_, {}, {});
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    decoder_ = *std::move(decoder);
  }
  std::unique_ptr<LiveTranscriber> Make(double padding_seconds = 0.2) {
    LiveOptions options;
    options.sound.voice = voice_;
    options.sound.segmenter.padding_seconds = padding_seconds;
    options.text.hotwords = hotwords_;
    options.text.hotword_bias = 12.0f;
    auto live = LiveTranscriber::Create(*decoder_, options);
    EXPECT_TRUE(live.ok()) << live.status();
    return *std::move(live);
  }

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const VoiceNetwork> voice_;
  std::unique_ptr<WindowDecoder> decoder_;
  std::string hotwords_;
};

TEST_F(RealLiveTest, HearsHotwordsWhereTheyNearlyAre) {
  const std::vector<float> samples = ReadRecording("clips/jfk.wav");
  if (samples.empty()) GTEST_SKIP() << "no clips/jfk.wav";
  hotwords_ = "Amerikans";
  const Heard heard = Listen(*Make(), samples, 1600);
  ExpectOrder(heard);
  EXPECT_NE(heard.FinalText().find(" Amerikans"), std::string::npos)
      << heard.FinalText();
}

TEST_F(RealLiveTest, HearsASpeech) {
  std::vector<float> samples = ReadRecording("clips/jfk.wav");
  if (samples.empty()) GTEST_SKIP() << "no clips/jfk.wav";
  const Heard heard = Listen(*Make(), samples, 1600);
  ExpectOrder(heard);
  const specinfer_cli::EnglishNormalizer normalizer;
  EXPECT_EQ(normalizer.Normalize(heard.FinalText()),
            normalizer.Normalize(
                "And so, my fellow Americans, ask not what your country can "
                "do for you, ask what you can do for your country."));
  EXPECT_GE(heard.Of(Kind::kSpeechEnd).size(), 2u);
}

// With little padding, what is carried from the first utterance seems complete
// to the model, which then hears nothing in the next ones.
TEST_F(RealLiveTest, NoUtteranceIsLostToTheOneBefore) {
  const std::vector<float> samples = ReadRecording("clips/jfk.wav");
  if (samples.empty()) GTEST_SKIP() << "no clips/jfk.wav";
  const Heard heard = Listen(*Make(/*padding_seconds=*/0.03), samples, 1600);
  ExpectOrder(heard);
  EXPECT_EQ(heard.Of(Kind::kSpeechEnd).size(), 4u);
  EXPECT_EQ(heard.Of(Kind::kFinal).size(), 4u);
}

TEST_F(RealLiveTest, SaysNothingInNoise) {
  for (const double scale : {0.0, 1e-3, 0.1}) {
    const Heard heard = Listen(*Make(), MakeNoise(16000 * 20, scale), 4000);
    EXPECT_EQ(heard.FinalText(), "") << scale;
    EXPECT_EQ(heard.Of(Kind::kPartial).size(), 0u) << scale;
  }
}

}  // namespace
}  // namespace specinfer
