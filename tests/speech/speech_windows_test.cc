// Speech in windows, and times in windows brought back to the recording.
#include "src/speech/speech_windows.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/base/memory.h"
#include "src/speech/voice_activity.h"
#include "tests/speech/recordings.h"
#include <nlohmann/json.hpp>

namespace specinfer {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PackSpeech, FillsWindowsWithWholeSegments) {
  const auto windows =
      PackSpeech({{{10, 40}, {50, 90}, {100, 131}, {200, 201}}}, 100);

  ASSERT_EQ(windows.size(), 2u);
  EXPECT_THAT(windows[0].segments,
              ElementsAre(SpeechSegment{10, 40}, SpeechSegment{50, 90}));
  EXPECT_THAT(windows[1].segments,
              ElementsAre(SpeechSegment{100, 131}, SpeechSegment{200, 201}));
  EXPECT_EQ(windows[1].num_samples(), 32);
}

TEST(PackSpeech, CutsWhatIsLongerThanAWindow) {
  const auto windows = PackSpeech({{{0, 10}, {20, 270}}}, 100);

  ASSERT_EQ(windows.size(), 4u);
  EXPECT_THAT(windows[1].segments, ElementsAre(SpeechSegment{20, 120}));
  EXPECT_THAT(windows[3].segments, ElementsAre(SpeechSegment{220, 270}));
}

TEST(PackSpeech, OfNothingIsNothing) {
  EXPECT_THAT(PackSpeech({}, 5), IsEmpty());
}

TEST(CopyWindow, TakesTheSamplesOfItsSegments) {
  const SpeechWindow window{{{1, 3}, {6, 8}}};
  std::vector<float> out(4);

  CopyWindow({0, 1, 2, 3, 4, 5, 6, 7, 8}, window, absl::MakeSpan(out));

  EXPECT_THAT(out, ElementsAre(1, 2, 6, 7));
}

TEST(TimeMap, LeadsBackToTheRecording) {
  const SpeechWindow window{{{16000, 32000}, {80000, 96000}}};
  const TimeMap map(window);

  EXPECT_DOUBLE_EQ(map.BeginInRecording(0.0), 1.0);
  EXPECT_DOUBLE_EQ(map.BeginInRecording(0.25), 1.25);
  EXPECT_DOUBLE_EQ(map.EndInRecording(1.0), 2.0);
  EXPECT_DOUBLE_EQ(map.BeginInRecording(1.0), 5.0);
  EXPECT_DOUBLE_EQ(map.BeginInRecording(1.5), 5.5);
  EXPECT_DOUBLE_EQ(map.EndInRecording(2.0), 6.0);
  EXPECT_DOUBLE_EQ(map.EndInRecording(29.9), 6.0);
  EXPECT_DOUBLE_EQ(map.BeginInRecording(-1.0), 1.0);
}

TEST(TimeMap, EverySampleIsFoundWhereItCameFrom) {
  const SpeechWindow window{{{5, 9}, {20, 21}, {21, 30}}};
  const TimeMap map(window);
  std::vector<float> recording(40), out(14);
  for (size_t i = 0; i < recording.size(); ++i)
    recording[i] = static_cast<float>(i);
  CopyWindow(recording, window, absl::MakeSpan(out));

  for (size_t i = 0; i < out.size(); ++i) {
    EXPECT_NEAR(map.BeginInRecording(static_cast<double>(i) / 16000) * 16000,
                out[i], 1e-6);
  }
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
    network_.emplace(*std::move(network));
    activity_.emplace(*VoiceActivity::Create(*network_, memory_));
  }

  Memory memory_{0};
  std::vector<float> samples_;
  std::optional<VoiceNetwork> network_;
  std::optional<VoiceActivity> activity_;
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

    EXPECT_EQ(FindSpeech(samples_, {}, *activity_), wanted);
  }
}

TEST_F(RecordedSpeech, FitsItsWindows) {
  for (const double max_seconds : {30.0, 5.0}) {
    const auto windows = SplitSpeech(samples_, {}, max_seconds, *activity_);

    int64_t last = 0, total = 0;
    for (const SpeechWindow& window : windows) {
      EXPECT_LE(window.num_samples(), max_seconds * 16000);
      for (const SpeechSegment& segment : window.segments) {
        EXPECT_GE(segment.begin, last);
        EXPECT_LE(segment.end, static_cast<int64_t>(samples_.size()));
        last = segment.end;
        total += segment.size();
      }
    }
    EXPECT_GT(total, 16000 * 20);
  }
}

TEST_F(RecordedSpeech, IsNotInSilence) {
  EXPECT_THAT(SplitSpeech(std::vector<float>(160000), {}, 30.0, *activity_),
              IsEmpty());
  EXPECT_THAT(SplitSpeech({}, {}, 30.0, *activity_), IsEmpty());
}

}  // namespace
}  // namespace specinfer
