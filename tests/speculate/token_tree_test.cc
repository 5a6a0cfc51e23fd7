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

TEST(TokenTree, LinksSiblingsInTheOrderOfProposal) {
  TokenTree tree(8);
  tree.Reset(1);
  const int32_t first = tree.AddNode(0, 5, 0.5f, 1);
  tree.AddNode(first, 9);
  const int32_t second = tree.AddNode(0, 4, 0.25f, 2);

  EXPECT_EQ(tree.first_child(0), first);
  EXPECT_EQ(tree.next_sibling(first), second);
  EXPECT_EQ(tree.next_sibling(second), -1);
  EXPECT_EQ(tree.order(second), 1);
  EXPECT_EQ(tree.source(second), 2);
  EXPECT_EQ(tree.score(second), 0.25f);
}

TEST(TokenTree, ExpectsTheSumOfItsScores) {
  TokenTree tree(8);
  tree.Reset(1);
  EXPECT_EQ(tree.ExpectedTokens(), 1.0);

  tree.AddNode(tree.AddNode(0, 2, 0.5f), 3, 0.25f);
  tree.AddNode(0, 4, 0.125f);

  EXPECT_EQ(tree.ExpectedTokens(), 1.875);
}

TEST(TokenTree, ShrinksToWhatItWas) {
  TokenTree tree(8);
  tree.Reset(1);
  const int32_t left = tree.AddNode(0, 2);
  tree.AddNode(left, 3);
  tree.AddNode(0, 4);
  tree.AddNode(left, 5);

  tree.Shrink(3);

  EXPECT_TRUE(tree.is_chain());
  EXPECT_EQ(tree.FindChild(0, 4), -1);
  EXPECT_EQ(tree.FindChild(left, 5), -1);
  EXPECT_EQ(tree.AddNode(0, 4), 3);
  EXPECT_EQ(tree.order(3), 1);
  EXPECT_EQ(tree.next_sibling(left), 3);
}

TEST(TokenTree, GivesThePathBelowTheRoot) {
  TokenTree tree(8);
  tree.Reset(1);
  const int32_t left = tree.AddNode(0, 2);
  const int32_t below = tree.AddNode(left, 3);
  std::vector<Token> path;

  tree.GetPath(below, &path);
  EXPECT_THAT(path, ElementsAre(2, 3));
  tree.GetPath(0, &path);
  EXPECT_THAT(path, ElementsAre());
}

}  // namespace
}  // namespace specinfer
