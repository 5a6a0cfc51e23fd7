#include "src/text/special_scanner.h"

#include <string>

#include <gtest/gtest.h>

namespace specinfer {
namespace {

SpecialScanner MakeScanner() {
  SpecialScanner scanner;
  scanner.Add("<a>", 1, /*is_control=*/false);
  scanner.Add("<a><b>", 2, /*is_control=*/true);
  scanner.Add("  ", 3, /*is_control=*/false);
  scanner.Add("   ", 4, /*is_control=*/false);
  return scanner;
}

TEST(SpecialScanner, FindsTheLongestThatStartsFirst) {
  const SpecialScanner::Match match =
      MakeScanner().Find("x    y", 0, /*with_control=*/false);

  EXPECT_EQ(match.token, 4);
  EXPECT_EQ(match.begin, 1u);
  EXPECT_EQ(match.num_bytes, 3u);
}

TEST(SpecialScanner, FindsControlTokensOnlyWhenAsked) {
  EXPECT_EQ(MakeScanner().Find("<a><b>", 0, /*with_control=*/false).token, 1);
  EXPECT_EQ(MakeScanner().Find("<a><b>", 0, /*with_control=*/true).token, 2);
}

TEST(SpecialScanner, FallsBackToTheShorterWhereTheLongerEnds) {
  const SpecialScanner::Match match =
      MakeScanner().Find("<a><c>", 0, /*with_control=*/true);

  EXPECT_EQ(match.token, 1);
  EXPECT_EQ(match.num_bytes, 3u);
}

TEST(SpecialScanner, SaysWhenThereIsNone) {
  const SpecialScanner::Match match =
      MakeScanner().Find("<a", 0, /*with_control=*/true);

  EXPECT_EQ(match.token, -1);
  EXPECT_EQ(match.begin, 2u);
}

}  // namespace
}  // namespace specinfer
