#include "src/speculate/verifier.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace specinfer {
namespace {

using testing::ElementsAre;

TEST(MatchVerify, KeepsTheLongestMatchingPathAndOneMore) {
  TokenTree tree(8);
  tree.Reset(1);
  const int32_t wrong = tree.AddNode(0, 9);
  const int32_t right = tree.AddNode(0, 2);
  tree.AddNode(wrong, 3);
  const int32_t deeper = tree.AddNode(right, 3);
  Walk walk;

  // The target counts upwards.
  const absl::Status status = MatchVerify(
      tree,
      [&](int32_t node) -> absl::StatusOr<Token> {
        return tree.token(node) + 1;
      },
      &walk);

  ASSERT_TRUE(status.ok());
  EXPECT_THAT(walk.path, ElementsAre(0, right, deeper));
  EXPECT_THAT(walk.tokens, ElementsAre(2, 3, 4));
  EXPECT_THAT(walk.nodes, ElementsAre(0, right, deeper));
}

TEST(MatchVerify, OfOneNodeIsPlainDecoding) {
  TokenTree tree(1);
  tree.Reset(1);
  Walk walk;

  ASSERT_TRUE(
      MatchVerify(
          tree, [](int32_t) -> absl::StatusOr<Token> { return 7; }, &walk)
          .ok());

  EXPECT_THAT(walk.path, ElementsAre(0));
  EXPECT_THAT(walk.tokens, ElementsAre(7));
}

TEST(MatchVerify, HandsOnAnErrorOfTheChoice) {
  TokenTree tree(1);
  tree.Reset(1);
  Walk walk;

  const absl::Status status = MatchVerify(
      tree,
      [](int32_t) -> absl::StatusOr<Token> {
        return absl::CancelledError("stop");
      },
      &walk);

  EXPECT_TRUE(absl::IsCancelled(status));
}

}  // namespace
}  // namespace specinfer
