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

TEST(TokenTree, PrunesToTheTreeOfWhatScoresEnough) {
  TokenTree tree(8);
  tree.Reset(1);
  const int32_t first = tree.AddNode(0, 2, 0.1f);
  tree.AddNode(first, 3, 0.09f);
  const int32_t second = tree.AddNode(0, 4, 0.8f);
  const int32_t below = tree.AddNode(second, 5, 0.7f);
  tree.AddNode(second, 6, 0.05f);
  const int32_t id = tree.id(below);
  std::vector<int32_t> renumbered;

  tree.Prune(0.5f, &renumbered);
  EXPECT_THAT(renumbered, ElementsAre(0, -1, -1, 1, 2, -1));
  EXPECT_THAT(tree.tokens(), ElementsAre(1, 4, 5));
  EXPECT_THAT(tree.depths(), ElementsAre(0, 1, 2));
  EXPECT_TRUE(tree.is_chain());
  EXPECT_EQ(tree.first_child(0), 1);
  EXPECT_EQ(tree.next_sibling(1), -1);
  EXPECT_EQ(tree.order(1), 0);
  EXPECT_EQ(tree.parent(2), 1);
  EXPECT_EQ(tree.id(2), id);

  // It grows on, and names are not given twice.
  const int32_t added = tree.AddNode(0, 7, 0.6f);
  EXPECT_EQ(added, 3);
  EXPECT_EQ(tree.next_sibling(1), 3);
  EXPECT_GT(tree.id(added), 5);
  EXPECT_FALSE(tree.is_chain());
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
