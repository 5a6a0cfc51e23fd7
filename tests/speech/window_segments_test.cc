#include "src/speech/window_segments.h"

#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/speech/tiny_speech_vocabulary.h"
#include "tests/speech/whisper_files.h"

namespace specinfer {
namespace {

constexpr Token kZero = kTinyTimestampBegin;

class WindowSegmentsOf : public testing::Test {
 protected:
  WindowSegments Split(const FrameWindow& window,
                       const std::vector<Token>& tokens) {
    DecodedWindow decoded;
    decoded.tokens = tokens;
    return SplitWindow(tokens_, *tokenizer_, window, decoded);
  }

  const std::unique_ptr<Tokenizer> tokenizer_ = TinySpeechTokenizer();
  const SpeechTokens tokens_ =
      *SpeechTokens::Create(*tokenizer_, kTinyTimestampBegin + 1501);
};

// One case a line: first frame, frames, tokens | next frame, whether a single
// timestamp ends the window, and start, end and tokens of each segment; from
// faster-whisper 1.2.1's _split_segments_by_timestamps. It does not clamp.
TEST_F(WindowSegmentsOf, TimesAreThoseOfFasterWhisper) {
  std::ifstream file(std::string(SPECINFER_TESTDATA) +
                     "/speech/window_segments.txt");
  int num_cases = 0;
  for (std::string line; std::getline(file, line); ++num_cases) {
    std::istringstream fields(line);
    FrameWindow window;
    fields >> window.first_frame >> window.num_frames;
    std::vector<Token> tokens;
    std::string field;
    while (fields >> field && field != "|") tokens.push_back(std::stoi(field));
    int64_t next_frame = 0;
    bool is_single = false;
    fields >> next_frame >> is_single;

    const WindowSegments split = Split(window, tokens);

    ASSERT_EQ(split.next_frame,
              std::min(next_frame, window.first_frame + window.num_frames))
        << line;
    ASSERT_EQ(split.ends_with_single_timestamp, is_single) << line;
    for (const Segment& segment : split.segments) {
      double start = -1.0, end = -1.0;
      size_t num_tokens = 0;
      ASSERT_TRUE(fields >> start >> end >> num_tokens) << line;
      ASSERT_NEAR(segment.start, std::min(start, window.end()), 1e-6) << line;
      ASSERT_NEAR(segment.end, std::min(end, window.end()), 1e-6) << line;
      ASSERT_EQ(segment.tokens.size(), num_tokens) << line;
    }
    ASSERT_FALSE(fields >> field) << line;
  }
  EXPECT_EQ(num_cases, 300);
}

TEST_F(WindowSegmentsOf, TextHasNoTimestamps) {
  const WindowSegments split =
      Split({.first_frame = 0, .num_frames = 3000},
            {kZero, ' ', 'h', 'i', kZero + 50, kZero + 60, ' ', 0xC3,
             kZero + 90, kZero + 90, 'x'});

  ASSERT_EQ(split.segments.size(), 2u);
  EXPECT_EQ(split.segments[0].text, " hi");
  EXPECT_EQ(split.segments[1].text, " \xEF\xBF\xBD");
  // "x" is heard again, where the next window begins.
  EXPECT_EQ(split.next_frame, 180);
  std::vector<Token> unfinished = split.unfinished;
  EXPECT_EQ(unfinished, (std::vector<Token>{kZero + 90, 'x'}));
  ShiftTimestamps(tokens_, split.next_frame, &unfinished);
  EXPECT_EQ(unfinished, (std::vector<Token>{kZero, 'x'}));
}

TEST_F(WindowSegmentsOf, NoTimestampIsBeforeAWindow) {
  std::vector<Token> tokens = {kZero + 3, 'a', kZero + 70, kZero + 1500};
  ShiftTimestamps(tokens_, 20, &tokens);
  EXPECT_EQ(tokens, (std::vector<Token>{kZero, 'a', kZero + 60, kZero + 1490}));
}

TEST_F(WindowSegmentsOf, TimesStayInTheAudio) {
  const WindowSegments split =
      Split({.first_frame = 6000, .num_frames = 200},
            {kZero, 'a', kZero + 75, kZero + 75, 'b', kZero + 400});

  ASSERT_EQ(split.segments.size(), 2u);
  EXPECT_DOUBLE_EQ(split.segments[1].start, 61.5);
  EXPECT_DOUBLE_EQ(split.segments[1].end, 62.0);
  EXPECT_EQ(split.next_frame, 6200);
}

TEST_F(WindowSegmentsOf, EveryWindowGoesOn) {
  const FrameWindow window{.first_frame = 700, .num_frames = 3000};

  EXPECT_EQ(Split(window, {}).next_frame, 3700);
  EXPECT_EQ(Split(window, {kZero, kZero}).next_frame, 3700);
  EXPECT_EQ(Split({.first_frame = 5, .num_frames = 0}, {}).next_frame, 6);
}

TEST_F(WindowSegmentsOf, WordsMoveTheNextWindow) {
  const FrameWindow window{.first_frame = 1000, .num_frames = 3000};
  WindowSegments split = Split(window, {kZero, 'a', kZero + 100, kZero + 100,
                                        'b', kZero + 200, kZero + 200});
  ASSERT_EQ(split.next_frame, 1400);

  split.segments[0].words = {{.start = 10.0, .end = 11.234, .text = "a"}};
  EXPECT_EQ(NextFrameAfterWords(split, window), 1123);
  split.segments[0].words[0].end = 10.0;
  EXPECT_EQ(NextFrameAfterWords(split, window), 1400);
  split.segments[0].words[0].end = 11.234;
  split.ends_with_single_timestamp = true;
  EXPECT_EQ(NextFrameAfterWords(split, window), 1400);
}

TEST(Segments, WithoutTimeOrTextAreDropped) {
  std::vector<Segment> segments(3);
  segments[0] = {.start = 1.0, .end = 1.0, .text = " hi"};
  segments[1] = {.start = 1.0, .end = 2.0, .text = " \n\xE3\x80\x80"};
  segments[2] = {.start = 2.0, .end = 3.0, .text = " yes"};

  DropEmptySegments(&segments);

  ASSERT_EQ(segments.size(), 1u);
  EXPECT_EQ(segments[0].text, " yes");
}

}  // namespace
}  // namespace specinfer
