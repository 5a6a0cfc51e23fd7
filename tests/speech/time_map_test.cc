// Times of joined speech brought back to the recording.
#include "src/speech/time_map.h"

#include <vector>

#include "gtest/gtest.h"

namespace specinfer {
namespace {

// Seconds 1 to 2 and 5 to 6 of a recording.
const std::vector<SpeechSegment> kTwoParts = {{16000, 32000}, {80000, 96000}};

TEST(TimeMap, LeadsBackToTheRecording) {
  const TimeMap map(kTwoParts);

  EXPECT_DOUBLE_EQ(map.BeginInRecording(0.0), 1.0);
  EXPECT_DOUBLE_EQ(map.BeginInRecording(0.25), 1.25);
  EXPECT_DOUBLE_EQ(map.EndInRecording(1.0), 2.0);
  EXPECT_DOUBLE_EQ(map.BeginInRecording(1.0), 5.0);
  EXPECT_DOUBLE_EQ(map.BeginInRecording(1.5), 5.5);
  EXPECT_DOUBLE_EQ(map.EndInRecording(2.0), 6.0);
  EXPECT_DOUBLE_EQ(map.EndInRecording(29.9), 6.0);
  EXPECT_DOUBLE_EQ(map.BeginInRecording(29.9), 6.0);
  EXPECT_DOUBLE_EQ(map.BeginInRecording(-1.0), 1.0);
}

// By definition: the n-th sample of the joined speech is where the n-th of the
// parts is.
TEST(TimeMap, EverySampleIsFoundWhereItCameFrom) {
  const std::vector<SpeechSegment> parts = {{5, 9}, {20, 21}, {21, 30}};
  const TimeMap map(parts);
  int joined = 0;
  for (const SpeechSegment& part : parts) {
    for (int64_t sample = part.begin; sample < part.end; ++sample, ++joined) {
      EXPECT_NEAR(map.BeginInRecording((joined + 0.01) / 16000.0) * 16000,
                  static_cast<double>(sample) + 0.01, 1e-6);
      EXPECT_NEAR(map.EndInRecording((joined + 0.99) / 16000.0) * 16000,
                  static_cast<double>(sample) + 0.99, 1e-6);
    }
  }
  EXPECT_EQ(joined, 14);
}

TEST(TimeMap, OfTheWholeChangesNoBit) {
  const TimeMap whole(std::vector<SpeechSegment>{{0, 16000 * 30}});
  for (const double time : {0.1, 0.3, 5.28, 29.98}) {
    EXPECT_EQ(whole.BeginInRecording(time), time);
    EXPECT_EQ(whole.EndInRecording(time), time);
  }
}

TEST(TimeMap, OfNothingChangesNothing) {
  const TimeMap map({});
  Segment segment{.start = 1.0, .end = 2.0, .words = {{1.0, 2.0, 1.0f, "a"}}};

  map.RestoreTimes(&segment);

  EXPECT_EQ(segment.start, 1.0);
  EXPECT_EQ(segment.words[0].end, 2.0);
}

TEST(TimeMap, RestoresSegments) {
  const TimeMap map(kTwoParts);
  Segment over_both{.start = 0.5, .end = 1.5};
  Segment at_the_seam{.start = 1.0, .end = 1.0};

  map.RestoreTimes(&over_both);
  map.RestoreTimes(&at_the_seam);

  EXPECT_DOUBLE_EQ(over_both.start, 1.5);
  EXPECT_DOUBLE_EQ(over_both.end, 5.5);
  EXPECT_LE(at_the_seam.start, at_the_seam.end);
}

TEST(TimeMap, KeepsWordsWhereTheirMiddleIs) {
  const TimeMap map(kTwoParts);
  Segment segment{.start = 0.2,
                  .end = 1.6,
                  .words = {{0.2, 0.8, 1.0f, " one"},
                            {0.8, 1.1, 1.0f, " two"},
                            {0.95, 1.3, 1.0f, " three"},
                            {1.3, 1.6, 1.0f, " four"}}};

  map.RestoreTimes(&segment);

  EXPECT_DOUBLE_EQ(segment.words[0].start, 1.2);
  EXPECT_DOUBLE_EQ(segment.words[0].end, 1.8);
  EXPECT_DOUBLE_EQ(segment.words[1].start, 1.8);
  EXPECT_DOUBLE_EQ(segment.words[1].end, 2.0);
  EXPECT_DOUBLE_EQ(segment.words[2].start, 5.0);
  EXPECT_DOUBLE_EQ(segment.words[2].end, 5.3);
  EXPECT_DOUBLE_EQ(segment.words[3].end, 5.6);
  EXPECT_DOUBLE_EQ(segment.start, 1.2);
  EXPECT_DOUBLE_EQ(segment.end, 5.6);
}

// The segment's time ended in one part, its last word begins in the next.
TEST(TimeMap, SegmentsHoldTheirWords) {
  const TimeMap map(kTwoParts);
  Segment segment{.start = 0.9, .end = 1.0, .words = {{1.0, 1.2, 1.0f, " a"}}};

  map.RestoreTimes(&segment);

  EXPECT_DOUBLE_EQ(segment.start, 5.0);
  EXPECT_DOUBLE_EQ(segment.end, 5.2);
}

}  // namespace
}  // namespace specinfer
