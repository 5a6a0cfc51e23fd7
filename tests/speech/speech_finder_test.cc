// Where recordings have speech, however they come in pieces.
#include "src/speech/speech_finder.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/base/memory.h"
#include "tests/speech/recordings.h"
#include "tests/speech/voice_weights.h"
#include <nlohmann/json.hpp>

namespace specinfer {
namespace {

using nlohmann::json;
using ::testing::IsEmpty;

SpeechFinder CreateFinder(std::shared_ptr<const VoiceNetwork> network,
                          const SegmenterOptions& options, Memory& memory) {
  return *SpeechFinder::Create(std::move(network), options, memory);
}

// In pieces of `size`.
std::vector<SpeechSegment> Find(SpeechFinder& finder,
                                absl::Span<const float> samples,
                                size_t size = 10000) {
  std::vector<SpeechEvent> events;
  finder.Reset();
  for (size_t i = 0; i < samples.size(); i += size)
    finder.Push(samples.subspan(i, size), &events);
  finder.Finish(&events);
  return SegmentsOf(events);
}

TEST(SpeechFinder, KeepsWhatIsAroundSpeechAndShortSilence) {
  Memory memory(0);
  SpeechFinder finder =
      CreateFinder(LoadToneDetector(memory), kRecordingSpeech, memory);
  // Speech in seconds 3 to 4, 5.5 to 6 and 9 to 10.
  std::vector<float> samples(16000 * 13);
  AddTone(3.0, 4.0, &samples);
  AddTone(5.5, 6.0, &samples);
  AddTone(9.0, 10.0, &samples);

  const std::vector<SpeechSegment> speech = Find(finder, samples);

  ASSERT_EQ(speech.size(), 2u);
  constexpr double kChunk = 512;
  EXPECT_NEAR(speech[0].begin, 16000 * 2.6, kChunk);
  EXPECT_NEAR(speech[0].end, 16000 * 6.4, kChunk);
  EXPECT_NEAR(speech[1].begin, 16000 * 8.6, kChunk);
  EXPECT_NEAR(speech[1].end, 16000 * 10.4, kChunk);
}

TEST(SpeechFinder, TellsTheSameHoweverSamplesCome) {
  Memory memory(0);
  SpeechFinder finder =
      CreateFinder(LoadToneDetector(memory), kRecordingSpeech, memory);
  std::vector<float> samples(16000 * 8 + 77);
  AddTone(1.0, 2.0, &samples);
  AddTone(7.0, 9.0, &samples);
  const std::vector<SpeechSegment> whole =
      Find(finder, samples, samples.size());
  ASSERT_EQ(whole.size(), 2u);
  EXPECT_EQ(whole[1].end, static_cast<int64_t>(samples.size()));

  for (const size_t size : {1u, 511u, 512u, 513u, 16384u})
    EXPECT_EQ(Find(finder, samples, size), whole) << size;
}

TEST(SpeechFinder, FindsNoneInSilence) {
  Memory memory(0);
  SpeechFinder finder =
      CreateFinder(LoadToneDetector(memory), kRecordingSpeech, memory);

  EXPECT_THAT(Find(finder, std::vector<float>(160000)), IsEmpty());
  EXPECT_THAT(Find(finder, {}), IsEmpty());
}

class RecordedSpeech : public testing::Test {
 protected:
  void SetUp() override {
    auto network = VoiceNetwork::Load(
        std::string(SPECINFER_MODELS) + "/silero_vad_16k.safetensors", {},
        memory_);
    samples_ = ReadRecording("vad/test.wav");
    if (!network.ok() || samples_.empty()) {
      GTEST_SKIP() << "no silero_vad_16k.safetensors in SPECINFER_MODELS (\""
                   << SPECINFER_MODELS
                   << "\") or no vad/test.wav in SPECINFER_DATA (\""
                   << SPECINFER_DATA << "\")";
    }
    network_ = std::make_shared<const VoiceNetwork>(*std::move(network));
  }

  Memory memory_{0};
  std::vector<float> samples_;
  std::shared_ptr<const VoiceNetwork> network_;
};

TEST_F(RecordedSpeech, IsFoundWhereThePublishedFunctionFindsIt) {
  std::ifstream stream(std::string(SPECINFER_TESTDATA) +
                       "/voice_activity.json");
  const json golden = json::parse(stream, nullptr, /*allow_exceptions=*/false);
  ASSERT_TRUE(golden.is_array());
  for (const json& recording : golden) {
    if (recording["signal"] != "vad/test.wav") continue;
    std::vector<SpeechSegment> wanted;
    for (const json& segment : recording["segments"]["defaults"])
      wanted.push_back({segment[0], segment[1]});
    SpeechFinder finder = CreateFinder(network_, {}, memory_);

    EXPECT_EQ(Find(finder, samples_), wanted);
  }
}

// faster-whisper 1.2.1 carries other weights of Silero VAD 6, so it gives
// this recording's speech to within two chunks.
TEST_F(RecordedSpeech, IsFoundWhereFasterWhisperFindsIt) {
  SpeechFinder finder = CreateFinder(network_, kRecordingSpeech, memory_);
  const std::vector<SpeechSegment> theirs = {
      {0, 115456}, {143104, 754944}, {775936, 960000}};

  const std::vector<SpeechSegment> ours = Find(finder, samples_);

  ASSERT_EQ(ours.size(), theirs.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    EXPECT_NEAR(ours[i].begin, theirs[i].begin, 1024);
    EXPECT_NEAR(ours[i].end, theirs[i].end, 1024);
  }
}

TEST_F(RecordedSpeech, IsNotInNoise) {
  SpeechFinder finder = CreateFinder(network_, kRecordingSpeech, memory_);

  for (const double scale : {0.0, 1e-3, 0.03, 0.5})
    EXPECT_THAT(Find(finder, MakeNoise(16000 * 20, scale)), IsEmpty());
}

}  // namespace
}  // namespace specinfer
