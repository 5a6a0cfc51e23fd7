#include "tools/specinfer/subtitles.h"

#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <nlohmann/json.hpp>

namespace specinfer_cli {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<TranscribedSegment> OneSegment(double start, double end,
                                           const std::string& text) {
  return {{.start = start, .end = end, .text = text, .words = {}}};
}

TEST(WordLines, AreOneForEachWord) {
  std::vector<TranscribedSegment> segments = OneSegment(0, 3, " a b");
  segments[0].words = {
      {.start = 1.24, .end = 1.5, .probability = 1, .text = " a"},
      {.start = 61, .end = 3600, .probability = 0.5, .text = " b\n"}};

  EXPECT_EQ(WordLines(segments),
            "[00:00:01.240 -> 00:00:01.500] a\n"
            "[00:01:01.000 -> 01:00:00.000] b\n");
  EXPECT_EQ(WordLines(OneSegment(0, 3, " a b")), "");
}

TEST(Srt, NumbersTimesAndTexts) {
  const std::vector<TranscribedSegment> segments = {
      {.start = 0.0, .end = 1.5, .text = " Hello.", .words = {}},
      {.start = 61.0421, .end = 3661.9996, .text = " And then", .words = {}}};

  EXPECT_EQ(ToSrt(segments),
            "1\n00:00:00,000 --> 00:00:01,500\nHello.\n\n"
            "2\n00:01:01,042 --> 01:01:02,000\nAnd then\n\n");
}

TEST(Srt, EmptySegmentsAreNotCounted) {
  std::vector<TranscribedSegment> segments = OneSegment(0, 1, " \n ");
  segments.push_back({.start = 1, .end = 2, .text = "yes", .words = {}});

  EXPECT_EQ(ToSrt(segments), "1\n00:00:01,000 --> 00:00:02,000\nyes\n\n");
  EXPECT_EQ(ToSrt({}), "");
}

TEST(Srt, HoursMayHaveThreeDigits) {
  EXPECT_THAT(ToSrt(OneSegment(100 * 3600.0, 100 * 3600.0 + 59.9999, "a")),
              HasSubstr("100:00:00,000 --> 100:01:00,000\n"));
}

TEST(Srt, TimesThatAreNoTimesAreMadeOnes) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(ToSrt(OneSegment(-1, nan, "a")),
              HasSubstr("00:00:00,000 --> 00:00:00,000\n"));
  EXPECT_THAT(ToSrt(OneSegment(5, 4, "a")),
              HasSubstr("00:00:05,000 --> 00:00:05,000\n"));
  EXPECT_THAT(ToSrt(OneSegment(0, 1e300, "a")), HasSubstr(" --> 277777:"));
}

TEST(Srt, TextCannotBeTakenForTimes) {
  EXPECT_THAT(ToSrt(OneSegment(0, 1, "a\n\n2\n00:00:00,000 --> b")),
              HasSubstr("\na  2 00:00:00,000 -> b\n\n"));
}

TEST(WebVtt, HasAHeaderAndEscapes) {
  EXPECT_EQ(ToWebVtt({}), "WEBVTT\n\n");
  EXPECT_EQ(ToWebVtt(OneSegment(3599.9994, 3600, " <b>R&D</b> -->\nx &amp;")),
            "WEBVTT\n\n00:59:59.999 --> 01:00:00.000\n"
            "&lt;b&gt;R&amp;D&lt;/b&gt; --&gt; x &amp;amp;\n\n");
}

TEST(TranscriptJson, HasTheKeysOfEveryFile) {
  TranscribedFile file{.file = "a.wav",
                       .language = "en",
                       .audio_seconds = 4.0,
                       .speech_seconds = 3.5,
                       .seconds = 1.0,
                       .encode_seconds = 0.25,
                       .decode_seconds = 0.5,
                       .num_tokens = 20,
                       .num_passes = 7,
                       .segments = OneSegment(0.5, 1.5, " Say \"hi\".")};
  file.segments.push_back(
      {.start = 1.5,
       .end = 2.0,
       .text = " Bye",
       .words = {
           {.start = 1.5, .end = 2.0, .probability = 0.25, .text = " Bye"}}});

  EXPECT_EQ(nlohmann::json::parse(ToJson({file})),
            nlohmann::json::parse(R"([{"file": "a.wav",
                "text": "Say \"hi\". Bye", "language": "en",
                "audio_seconds": 4.0, "speech_seconds": 3.5, "seconds": 1.0, "real_time_factor": 0.25,
                "tokens": 20, "passes": 7,
                "encode_seconds": 0.25, "decode_seconds": 0.5,
                "segments": [
                  {"start": 0.5, "end": 1.5, "text": " Say \"hi\"."},
                  {"start": 1.5, "end": 2.0, "text": " Bye", "words": [
                    {"start": 1.5, "end": 2.0, "probability": 0.25,
                     "text": " Bye"}]}]}])"));
}

TEST(TranscriptJson, IsJsonWhateverAFileIsCalled) {
  const std::string text =
      ToJson({{.file = "caf\xE9.wav", .language = "fr", .segments = {}},
              {.file = "b", .language = "", .segments = {}}});
  const auto parsed = nlohmann::json::parse(text, nullptr, false);

  ASSERT_TRUE(parsed.is_array());
  EXPECT_EQ(parsed.size(), 2u);
  EXPECT_EQ(parsed[0]["real_time_factor"], 0);
  EXPECT_THAT(ToJson({}), "[]\n");
  EXPECT_THAT(text, Not(HasSubstr("\xE9.wav")));
}

}  // namespace
}  // namespace specinfer_cli
