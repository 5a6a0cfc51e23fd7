#include "src/speculate/token_tree.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace specinfer {
namespace {

using testing::ElementsAre;

TEST(TokenTree, StartsAsItsRoot) {
  TokenTree tree(8);

  tree.Reset(42);

  EXPECT_THAT(tree.tokens(), ElementsAre(42));
  EXPECT_TRUE(tree.is_chain());
  EXPECT_TRUE(tree.PathBits().empty());
}

TEST(TokenTree, GivesBackTheSiblingThatCarriesTheToken) {
  TokenTree tree(8);
  tree.Reset(1);

  const int32_t first = tree.AddNode(0, 5);
  const int32_t again = tree.AddNode(0, 5);

  EXPECT_EQ(first, again);
  EXPECT_EQ(tree.size(), 2);
}

TEST(TokenTree, MarksEachNodesPath) {
  TokenTree tree(8);
  tree.Reset(1);
  const int32_t left = tree.AddNode(0, 2);
  tree.AddNode(0, 3);
  tree.AddNode(left, 4);

  EXPECT_FALSE(tree.is_chain());
  EXPECT_THAT(tree.depths(), ElementsAre(0, 1, 1, 2));
  EXPECT_THAT(tree.PathBits(), ElementsAre(0b0001, 0b0011, 0b0101, 0b1011));
}

TEST(TokenTree, FindsChildrenByToken) {
  TokenTree tree(8);
  tree.Reset(1);
  const int32_t left = tree.AddNode(0, 2);
  const int32_t below = tree.AddNode(left, 3);

  EXPECT_EQ(tree.FindChild(left, 3), below);
  EXPECT_EQ(tree.FindChild(0, 3), -1);
}

}  // namespace
}  // namespace specinfer
