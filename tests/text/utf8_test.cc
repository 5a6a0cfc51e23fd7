#include "src/text/utf8.h"

#include <string_view>

#include <gtest/gtest.h>

namespace specinfer {
namespace {

using Kind = Utf8Step::Kind;

struct StepCase {
  const char* name;
  std::string_view text;
  Kind kind;
  size_t num_bytes;
};

class Utf8FirstStep : public testing::TestWithParam<StepCase> {};

TEST_P(Utf8FirstStep, IsAsUnicodeSays) {
  const Utf8Step step = FirstUtf8Step(GetParam().text);

  EXPECT_EQ(step.kind, GetParam().kind);
  EXPECT_EQ(step.num_bytes, GetParam().num_bytes);
}

// The ill-formed ones are Unicode 15, tables 3-8 to 3-11.
INSTANTIATE_TEST_SUITE_P(
    Cases, Utf8FirstStep,
    testing::ValuesIn<StepCase>(
        {{"Ascii", "a\x80", Kind::kCharacter, 1},
         {"TwoBytes", "\xC3\xA9", Kind::kCharacter, 2},
         {"ThreeBytes", "\xE2\x82\xAC", Kind::kCharacter, 3},
         {"FourBytes", "\xF0\x9F\x98\x80", Kind::kCharacter, 4},
         {"HighestCodePoint", "\xF4\x8F\xBF\xBF", Kind::kCharacter, 4},
         {"AboveHighest", "\xF4\x90\x80\x80", Kind::kIllFormed, 1},
         {"Surrogate", "\xED\xA0\x80", Kind::kIllFormed, 1},
         {"OverlongTwo", "\xC0\xAF", Kind::kIllFormed, 1},
         {"OverlongThree", "\xE0\x80\xBF", Kind::kIllFormed, 1},
         {"OverlongFour", "\xF0\x81\x82\x41", Kind::kIllFormed, 1},
         {"LoneContinuation", "\x80", Kind::kIllFormed, 1},
         {"NotALead", "\xFF", Kind::kIllFormed, 1},
         {"CutInTheMiddle", "\xE1\x80\xE2", Kind::kIllFormed, 2},
         {"CutLate", "\xF1\x91\x92\x41", Kind::kIllFormed, 3},
         {"TruncatedAfterLead", "\xF0", Kind::kTruncated, 1},
         {"TruncatedLate", "\xF0\x9F\x98", Kind::kTruncated, 3}}),
    [](const auto& param) { return param.param.name; });

TEST(Utf8, FindsTheWellFormedPrefix) {
  EXPECT_EQ(WellFormedUtf8Prefix("12345678\xC3\xA9\xF0\x9F"), 10u);
  EXPECT_EQ(WellFormedUtf8Prefix(""), 0u);
}

TEST(Utf8, DecodesCharacters) {
  EXPECT_EQ(DecodeUtf8Character("a"), U'a');
  EXPECT_EQ(DecodeUtf8Character("\xC3\xA9"), U'\u00E9');
  EXPECT_EQ(DecodeUtf8Character("\xE2\x82\xAC"), U'\u20AC');
  EXPECT_EQ(DecodeUtf8Character("\xF0\x9F\x98\x80"), U'\U0001F600');
}

}  // namespace
}  // namespace specinfer
