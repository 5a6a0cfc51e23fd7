#include "tools/specinfer/word_errors.h"

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace specinfer_cli {
namespace {

WordErrors Count(const std::string& reference, const std::string& hypothesis) {
  const std::vector<std::string> said =
      absl::StrSplit(reference, ' ', absl::SkipEmpty());
  const std::vector<std::string> heard =
      absl::StrSplit(hypothesis, ' ', absl::SkipEmpty());
  return CountWordErrors(said, heard);
}

TEST(WordErrorsTest, EqualTextsHaveNone) {
  EXPECT_EQ(Count("ask not what", "ask not what").total(), 0);
  EXPECT_EQ(Count("", "").rate(), 0.0);
}

TEST(WordErrorsTest, EachKindIsCounted) {
  const WordErrors errors =
      Count("the quick brown fox jumps", "the quack brown jumps high");
  EXPECT_EQ(errors.substitutions + errors.deletions + errors.insertions, 3);
  EXPECT_EQ(errors.num_reference_words, 5);
  EXPECT_DOUBLE_EQ(errors.rate(), 0.6);
  EXPECT_EQ(Count("a b c", "a c").deletions, 1);
  EXPECT_EQ(Count("a c", "a b c").insertions, 1);
  EXPECT_EQ(Count("a b c", "a x c").substitutions, 1);
}

TEST(WordErrorsTest, MayExceedOne) {
  EXPECT_DOUBLE_EQ(Count("yes", "no no no").rate(), 3.0);
  EXPECT_DOUBLE_EQ(Count("", "thank you").rate(), 2.0);
}

}  // namespace
}  // namespace specinfer_cli
