#include "src/speculate/edit_drafter.h"

#include <memory>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/base/memory.h"
#include "src/speculate/ngram_drafter.h"

namespace specinfer {
namespace {

using testing::ElementsAre;

constexpr TreeBudget kWide = {.max_nodes = 16, .max_depth = 15};

void Draft(Drafter& drafter, const std::vector<Token>& text, TokenTree* tree,
           const TreeBudget& budget = kWide) {
  tree->Reset(text.back());
  DraftRequest request;
  request.text = text;
  request.budget = budget;
  request.source = 3;
  ASSERT_TRUE(drafter.Draft(request, tree).ok());
}

// One round towards `target`, which begins with the text.
void Round(Drafter& drafter, const std::vector<Token>& target,
           std::vector<Token>* text) {
  TokenTree tree(16);
  Draft(drafter, *text, &tree);
  size_t next = text->size();
  Walk walk;
  ASSERT_TRUE(
      MatchVerify(
          tree,
          [&](int32_t) { return next < target.size() ? target[next++] : -7; },
          &walk)
          .ok());
  drafter.Accept(*text, tree, walk, {});
  text->insert(text->end(), walk.tokens.begin(), walk.tokens.end());
}

int NumRounds(Drafter& drafter, const std::vector<Token>& target,
              size_t begin) {
  std::vector<Token> text(target.begin(),
                          target.begin() + static_cast<std::ptrdiff_t>(begin));
  int num_rounds = 0;
  for (; text.size() < target.size(); ++num_rounds)
    Round(drafter, target, &text);
  return num_rounds;
}

std::vector<Token> FirstPath(const TokenTree& tree) {
  std::vector<Token> path;
  for (int32_t node = tree.first_child(0); node >= 0;
       node = tree.first_child(node))
    path.push_back(tree.token(node));
  return path;
}

// Follows `answer` behind `source`, token by token, and drafts.
std::vector<Token> GuessAfter(const std::vector<Token>& source,
                              const std::vector<Token>& answer,
                              int32_t max_depth = 3) {
  EditDrafter drafter;
  std::vector<Token> text = source;
  TokenTree tree(16);
  Draft(drafter, text, &tree);
  for (const Token token : answer) {
    text.push_back(token);
    Draft(drafter, text, &tree, {.max_nodes = 16, .max_depth = max_depth});
  }
  return FirstPath(tree);
}

const std::vector<Token> kSource = {1,  2,  3,  4,  5,  6,  7,  8,  9, 10,
                                    11, 12, 13, 14, 15, 16, 17, 18, 99};

TEST(EditDrafter, GuessesNothingBeforeItHasFoundTheSource) {
  EXPECT_THAT(GuessAfter(kSource, {}), ElementsAre());
  EXPECT_THAT(GuessAfter(kSource, {3, 4, 5}), ElementsAre());
}

TEST(EditDrafter, GoesOnAlongTheSource) {
  EXPECT_THAT(GuessAfter(kSource, {3, 4, 5, 6}), ElementsAre(7, 8, 9));
}

TEST(EditDrafter, GoesOnBehindAReplacedToken) {
  EXPECT_THAT(GuessAfter(kSource, {1, 2, 3, 4, 5, 6, 50}),
              ElementsAre(8, 9, 10));
}

TEST(EditDrafter, GoesOnBehindAReplacementOfManyTokens) {
  EXPECT_THAT(GuessAfter(kSource, {1, 2, 3, 4, 5, 6, 50, 51, 52}),
              ElementsAre(8, 9, 10));
}

TEST(EditDrafter, FindsThePlaceAgainAfterDroppedTokens) {
  EXPECT_THAT(GuessAfter(kSource, {1, 2, 3, 4, 5, 6, 10, 11}),
              ElementsAre(12, 13, 14));
}

TEST(EditDrafter, FindsThePlaceAgainAfterInsertedTokens) {
  EXPECT_THAT(GuessAfter(kSource, {1, 2, 3, 4, 5, 6, 50, 7, 8}),
              ElementsAre(9, 10, 11));
}

TEST(EditDrafter, ChangesEverywhereWhatWasChangedOnce) {
  const std::vector<Token> source = {1, 2,  3,  4,  5,  30, 6,  7,  8,
                                     9, 30, 10, 11, 12, 30, 13, 14, 99};
  // 30 became 50 51.
  EXPECT_THAT(GuessAfter(source, {1, 2, 3, 4, 5, 50, 51, 6, 7, 8, 9}, 4),
              ElementsAre(30));  // the literal token, a leaf
  EditDrafter drafter;
  std::vector<Token> text = source;
  TokenTree tree(16);
  Draft(drafter, text, &tree);
  for (const Token token : {1, 2, 3, 4, 5, 50, 51, 6, 7, 8, 9}) {
    text.push_back(token);
    Draft(drafter, text, &tree);
  }
  const int32_t changed = tree.FindChild(0, 50);
  ASSERT_GT(changed, 0);
  int32_t node = changed;
  for (const Token token : {51, 10, 11, 12, 50, 51, 13, 14})
    node = tree.FindChild(node, token) > 0 ? tree.FindChild(node, token) : node;
  EXPECT_EQ(tree.token(node), 14);
  EXPECT_GT(tree.score(changed), tree.score(tree.FindChild(0, 30)));
}

TEST(EditDrafter, FinishesASubstitutionThatHasBegun) {
  const std::vector<Token> source = {1, 2, 3,  4,  5,  30, 6, 7,
                                     8, 9, 30, 10, 11, 12, 99};
  EXPECT_THAT(GuessAfter(source, {1, 2, 3, 4, 5, 50, 51, 52, 6, 7, 8, 9, 50}),
              ElementsAre(51, 52, 10));
}

TEST(EditDrafter, ForgetsWithTheText) {
  EditDrafter drafter;
  std::vector<Token> text = kSource;
  TokenTree tree(16);
  Draft(drafter, text, &tree);
  for (const Token token : {1, 2, 3, 4, 5}) text.push_back(token);
  Draft(drafter, text, &tree);
  ASSERT_GT(tree.size(), 1);

  drafter.Rollback(kSource.size() - 3);
  text.resize(kSource.size() - 3);
  text.push_back(77);
  Draft(drafter, text, &tree);

  EXPECT_EQ(tree.size(), 1);
}

TEST(EditDrafter, AForkGuessesTheSame) {
  EditDrafter drafter;
  std::vector<Token> text = kSource;
  TokenTree tree(16), other(16);
  Draft(drafter, text, &tree);
  for (const Token token : {1, 2, 3, 4, 5, 6, 50}) {
    text.push_back(token);
    Draft(drafter, text, &tree);
  }
  const auto fork = *drafter.Fork();
  text.push_back(8);
  Draft(drafter, text, &tree);
  Draft(*fork, text, &other);

  ASSERT_EQ(other.size(), tree.size());
  for (int32_t node = 1; node < tree.size(); ++node) {
    EXPECT_EQ(other.token(node), tree.token(node));
    EXPECT_EQ(other.score(node), tree.score(node));
  }
}

TEST(EditDrafter, StaysWithinTheBudget) {
  std::mt19937 random(5);
  EditDrafter drafter;
  std::vector<Token> text(200);
  for (Token& token : text) token = static_cast<Token>(random() % 4);
  TokenTree tree(16);
  for (int i = 0; i < 2000; ++i) {
    const TreeBudget budget = {
        .max_nodes = 1 + static_cast<int32_t>(random() % 16),
        .max_depth = static_cast<int32_t>(random() % 6),
        .max_children = 1 + static_cast<int32_t>(random() % 4)};
    Draft(drafter, text, &tree, budget);
    ASSERT_LE(tree.size(), budget.max_nodes);
    for (int32_t node = 1; node < tree.size(); ++node) {
      ASSERT_LT(tree.parent(node), node);
      ASSERT_LE(tree.depth(node), budget.max_depth);
      ASSERT_LT(tree.order(node), budget.max_children);
      ASSERT_LE(tree.score(node), tree.score(tree.parent(node)));
      ASSERT_EQ(tree.source(node), 3);
    }
    if (random() % 8 == 0) {
      text.resize(2 + random() % text.size());
      drafter.Rollback(text.size());
    }
    text.push_back(static_cast<Token>(random() % 4));
    if (text.size() > 400) text.resize(200);
  }
}

// Code whose names are changed: what looks up alone guesses the old names.
TEST(EditDrafter, RenamingTakesFewRounds) {
  std::mt19937 random(7);
  std::vector<Token> source;
  for (int i = 0; i < 400; ++i) {
    source.push_back(random() % 6 == 0 ? static_cast<Token>(1000 + random() % 4)
                                       : static_cast<Token>(random() % 500));
  }
  std::vector<Token> target = source;
  target.push_back(999);
  const size_t begin = target.size();
  for (const Token token : source) {
    if (token < 1000) {
      target.push_back(token);
    } else {
      for (Token part = 0; part <= token - 1000; ++part)
        target.push_back(2000 + 10 * (token - 1000) + part);
    }
  }
  EditDrafter drafter;
  const int num_rounds = NumRounds(drafter, target, begin);
  Memory memory(0);
  const int num_ngram_rounds =
      NumRounds(**NgramDrafter::Create(memory, 4096, nullptr), target, begin);

  EXPECT_LT(num_rounds, static_cast<int>(target.size() - begin) / 6);
  EXPECT_LT(3 * num_rounds, 2 * num_ngram_rounds);
}

}  // namespace
}  // namespace specinfer
