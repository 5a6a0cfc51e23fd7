#include "src/session/answer_text.h"

#include "gtest/gtest.h"

namespace specinfer {
namespace {

TEST(AnswerText, HoldsBackWhatMayBecomeAStopString) {
  AnswerText answer;
  answer.Reset({"STOP"}, {});

  answer.Append("go ST");

  EXPECT_EQ(answer.SettledBytes(/*is_done=*/false), 3u);
  EXPECT_EQ(answer.FindStop(), AnswerText::kNone);
}

TEST(AnswerText, FindsAStopStringAcrossTokens) {
  AnswerText answer;
  answer.Reset({"STOP"}, {});
  answer.Append("go ST");

  answer.Append("OP on");

  EXPECT_EQ(answer.FindStop(), 3u);
}

TEST(AnswerText, FindsTheStopStringThatBeginsFirst) {
  AnswerText answer;
  answer.Reset({"later", "now"}, {});

  answer.Append("now later");

  EXPECT_EQ(answer.FindStop(), 0u);
}

TEST(AnswerText, LetsGoWhenTheStopStringDoesNotCome) {
  AnswerText answer;
  answer.Reset({"STOP"}, {});
  answer.Append("ST");

  answer.Append("AY");

  EXPECT_EQ(answer.SettledBytes(/*is_done=*/false), 4u);
}

TEST(AnswerText, SettlesWholeTokensWhereTheyMayBeTakenBack) {
  AnswerText answer;
  answer.Reset({}, {"bad"});

  answer.Append("one ");
  answer.Append("two b");

  EXPECT_EQ(answer.SettledBytes(/*is_done=*/false), 4u);
}

TEST(AnswerText, TakesBackToTheTokenWhereTheMatchBegan) {
  AnswerText answer;
  answer.Reset({}, {"bad"});
  answer.Append("one ");
  answer.Append("two b");
  answer.Append("ad");

  const size_t match = answer.FindBanned();
  ASSERT_EQ(match, 8u);
  EXPECT_EQ(answer.TokenAt(match), 1u);
  answer.Truncate(1);

  EXPECT_EQ(answer.bytes(), "one ");
  EXPECT_EQ(answer.num_tokens(), 1u);
}

TEST(AnswerText, IgnoresEmptyStrings) {
  AnswerText answer;
  answer.Reset({""}, {""});

  answer.Append("text");

  EXPECT_EQ(answer.FindStop(), AnswerText::kNone);
  EXPECT_EQ(answer.SettledBytes(/*is_done=*/false), 4u);
}

}  // namespace
}  // namespace specinfer
