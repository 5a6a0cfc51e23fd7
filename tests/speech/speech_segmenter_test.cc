// Speech segments against the published function's, on what the network says of
// recordings (testdata/make_voice_activity_golden.py), and events by hand.
#include "src/speech/speech_segmenter.h"

#include <algorithm>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/speech/recordings.h"
#include <nlohmann/json.hpp>

namespace specinfer {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kChunk = SpeechSegmenter::kChunkSamples;
constexpr auto kBegin = SpeechEvent::kBegin;
constexpr auto kEnd = SpeechEvent::kEnd;
constexpr auto kEndpoint = SpeechEvent::kEndpoint;

// The events, and after which chunk each came.
struct TimedEvents {
  std::vector<SpeechEvent> events;
  std::vector<size_t> chunks;

  std::vector<SpeechSegment> Segments() const {
    std::vector<SpeechSegment> segments;
    for (const SpeechEvent& event : events) {
      if (event.kind == kBegin) segments.push_back({event.sample, -1});
      if (event.kind == kEnd) segments.back().end = event.sample;
    }
    return segments;
  }
};

TimedEvents Hear(const SegmenterOptions& options,
                 const std::vector<float>& probabilities, int64_t num_samples) {
  SpeechSegmenter segmenter(options);
  TimedEvents heard;
  const auto take = [&](absl::Span<const SpeechEvent> events, size_t chunk) {
    for (const SpeechEvent& event : events) {
      heard.events.push_back(event);
      heard.chunks.push_back(chunk);
    }
  };
  for (size_t i = 0; i < probabilities.size(); ++i)
    take(segmenter.Push(probabilities[i]), i);
  take(segmenter.Finish(num_samples), probabilities.size());
  return heard;
}

std::vector<float> Runs(const std::vector<std::pair<float, int>>& runs) {
  std::vector<float> probabilities;
  for (const auto& [probability, count] : runs)
    probabilities.insert(probabilities.end(), count, probability);
  return probabilities;
}

struct OptionsCase {
  const char* name;
  const char* label;
  SegmenterOptions options;
};

class PublishedSegments : public testing::TestWithParam<OptionsCase> {};

TEST_P(PublishedSegments, AreTheSame) {
  std::ifstream stream(std::string(SPECINFER_TESTDATA) +
                       "/voice_activity.json");
  const json golden = json::parse(stream, nullptr, /*allow_exceptions=*/false);
  ASSERT_TRUE(golden.is_array());
  ASSERT_GT(golden.size(), 10u);
  for (const json& recording : golden) {
    std::vector<float> probabilities;
    for (const json& millionths : recording["probabilities"])
      probabilities.push_back(millionths.get<float>() / 1e6f);
    std::vector<SpeechSegment> wanted;
    for (const json& segment : recording["segments"][GetParam().label])
      wanted.push_back({segment[0], segment[1]});

    const auto heard =
        Hear(GetParam().options, probabilities, recording["num_samples"]);

    EXPECT_EQ(heard.Segments(), wanted) << recording["signal"];
  }
}

INSTANTIATE_TEST_SUITE_P(
    Options, PublishedSegments,
    testing::Values(
        OptionsCase{"Defaults", "defaults", {}},
        OptionsCase{"LongSilences",
                    "long silences",
                    {.min_speech_seconds = 0.0,
                     .min_silence_seconds = 0.5,
                     .padding_seconds = 0.2}},
        OptionsCase{"ShortSpeech", "short speech", {.max_speech_seconds = 4.0}},
        OptionsCase{"ShortestSpeech",
                    "shortest speech",
                    {.min_silence_seconds = 0.3, .max_speech_seconds = 1.0}},
        OptionsCase{"LongestSilence",
                    "longest silence",
                    {.min_silence_seconds = 1.0, .max_speech_seconds = 5.0}},
        OptionsCase{"WholeChunks",
                    "whole chunks",
                    {.min_speech_seconds = 0.32,
                     .min_silence_seconds = 0.32,
                     .max_speech_seconds = 3.2}},
        OptionsCase{"Strict",
                    "strict",
                    {.threshold = 0.9f,
                     .negative_threshold = 0.6f,
                     .padding_seconds = 0.0}}),
    [](const auto& test) { return test.param.name; });

TEST(SpeechSegmenter, TellsSpeechSilenceAndEndpointInTime) {
  // 10 chunks of silence, 20 of speech, silence.
  const auto heard =
      Hear({}, Runs({{0.1f, 10}, {0.9f, 20}, {0.1f, 30}}), 60 * kChunk);

  EXPECT_THAT(heard.events, ElementsAre(SpeechEvent{kBegin, 10 * kChunk - 480},
                                        SpeechEvent{kEnd, 30 * kChunk + 480},
                                        SpeechEvent{kEndpoint, 46 * kChunk}));
  // Speech counts after 250 ms, silence after 100, the endpoint after 500.
  EXPECT_THAT(heard.chunks, ElementsAre(18u, 34u, 45u));
}

TEST(SpeechSegmenter, ShortNoiseIsNoSpeech) {
  const auto heard =
      Hear({}, Runs({{0.1f, 5}, {0.9f, 7}, {0.1f, 40}}), 52 * kChunk);

  EXPECT_THAT(heard.events, IsEmpty());
}

TEST(SpeechSegmenter, NoiseDoesNotPutOffTheEndpoint) {
  const auto heard = Hear(
      {}, Runs({{0.9f, 20}, {0.1f, 8}, {0.9f, 3}, {0.1f, 20}}), 51 * kChunk);

  EXPECT_THAT(heard.events, ElementsAre(SpeechEvent{kBegin, 0},
                                        SpeechEvent{kEnd, 20 * kChunk + 480},
                                        SpeechEvent{kEndpoint, 36 * kChunk}));
}

TEST(SpeechSegmenter, NeighboursShareTheSilenceBetweenThem) {
  SegmenterOptions options;
  options.padding_seconds = 0.3;
  const auto heard =
      Hear(options, Runs({{0.9f, 20}, {0.1f, 8}, {0.9f, 20}}), 48 * kChunk);

  EXPECT_THAT(heard.Segments(),
              ElementsAre(SpeechSegment{0, 24 * kChunk},
                          SpeechSegment{24 * kChunk, 48 * kChunk}));
}

TEST(SpeechSegmenter, DoubtIsSilenceBeforeSpeechAndSpeechAfterIt) {
  const auto heard =
      Hear({}, Runs({{0.4f, 20}, {0.9f, 10}, {0.4f, 30}}), 60 * kChunk);

  EXPECT_THAT(heard.Segments(),
              ElementsAre(SpeechSegment{20 * kChunk - 480, 60 * kChunk}));
}

TEST(SpeechSegmenter, ResetLeavesNothing) {
  SpeechSegmenter segmenter({});
  for (const float probability : Runs({{0.9f, 20}, {0.1f, 2}}))
    segmenter.Push(probability);
  EXPECT_TRUE(segmenter.is_speaking());

  segmenter.Reset();

  EXPECT_FALSE(segmenter.is_speaking());
  EXPECT_THAT(segmenter.Finish(0), IsEmpty());
}

TEST(SpeechSegmenter, BeginsAndEndsAlternateWhateverIsHeard) {
  std::minstd_rand random(1);
  for (int run = 0; run < 300; ++run) {
    SegmenterOptions options;
    options.min_speech_seconds = static_cast<double>(random() % 5) / 10;
    options.min_silence_seconds = static_cast<double>(random() % 5) / 10;
    options.padding_seconds = static_cast<double>(random() % 4) / 10;
    options.max_speech_seconds = 0.1 + static_cast<double>(random() % 30) / 10;
    std::vector<float> probabilities;
    while (probabilities.size() < 300) {
      const float level = static_cast<float>(random() % 3) * 0.45f;
      probabilities.insert(probabilities.end(), 1 + random() % 12, level);
    }
    const int64_t num_samples =
        static_cast<int64_t>(probabilities.size()) * kChunk -
        static_cast<int64_t>(random() % kChunk);

    const auto heard = Hear(options, probabilities, num_samples);

    int64_t last = 0;
    SpeechEvent::Kind previous = kEndpoint;
    for (const SpeechEvent& event : heard.events) {
      ASSERT_TRUE(event.kind == kBegin ? previous != kBegin
                  : event.kind == kEnd ? previous == kBegin
                                       : previous == kEnd);
      if (event.kind != kEndpoint) {
        ASSERT_GE(event.sample, last);
        last = event.sample;
      }
      previous = event.kind;
    }
    ASSERT_NE(previous, kBegin);
    ASSERT_LE(last, num_samples);
  }
}

}  // namespace
}  // namespace specinfer
