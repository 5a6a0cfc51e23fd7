#include "src/speculate/expected_drafter.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace specinfer {
namespace {

using testing::ElementsAre;

constexpr int32_t kVocabularySize = 1000;

class ExpectedDrafterTest : public testing::Test {
 protected:
  void Draft(Drafter& drafter, const std::vector<Token>& text,
             const TreeBudget& budget = {.max_nodes = 5, .max_depth = 16}) {
    tree_.Reset(text.back());
    DraftRequest request;
    request.text = text;
    request.budget = budget;
    request.source = 2;
    ASSERT_TRUE(drafter.Draft(request, &tree_).ok());
  }

  // One round towards `target`, which begins with the text. Returns how many
  // guesses were right.
  size_t Round(Drafter& drafter, const std::vector<Token>& target,
               std::vector<Token>* text) {
    Draft(drafter, *text, {.max_nodes = 9, .max_depth = 8});
    size_t next = text->size();
    Walk walk;
    EXPECT_TRUE(MatchVerify(
                    tree_,
                    [&](int32_t) {
                      return next < target.size() ? target[next++] : 999;
                    },
                    &walk)
                    .ok());
    drafter.Accept(*text, tree_, walk, {});
    text->insert(text->end(), walk.tokens.begin(), walk.tokens.end());
    return walk.tokens.size() - 1;
  }

  // Rounds until the text is `target`.
  int NumRounds(Drafter& drafter, const std::vector<Token>& target,
                std::vector<Token> text) {
    int num_rounds = 0;
    for (; text.size() < target.size(); ++num_rounds)
      Round(drafter, target, &text);
    return num_rounds;
  }

  static std::vector<Token> Sequence(Token first, size_t count) {
    std::vector<Token> tokens(count);
    std::iota(tokens.begin(), tokens.end(), first);
    return tokens;
  }

  Memory memory_{0};
  ExpectedDrafter drafter_{memory_, kVocabularySize};
  TokenTree tree_{512};
};

TEST_F(ExpectedDrafterTest, GuessesNothingWithoutAnExpectation) {
  Draft(drafter_, {1, 2, 3});

  EXPECT_EQ(tree_.size(), 1);
}

TEST_F(ExpectedDrafterTest, StartsAtTheEndOfTheText) {
  ASSERT_TRUE(drafter_.SetExpected({10, 11, 12, 13, 14, 15}).ok());

  Draft(drafter_, {1, 2, 3});

  EXPECT_THAT(tree_.tokens(), ElementsAre(3, 10, 11, 12, 13));
  EXPECT_TRUE(tree_.is_chain());
  EXPECT_EQ(tree_.source(1), 2);
  EXPECT_NEAR(tree_.score(1), 0.9f, 1e-6f);
}

TEST_F(ExpectedDrafterTest, GoesOnAsTheTextFollows) {
  ASSERT_TRUE(drafter_.SetExpected({10, 11, 12, 13, 14, 15}).ok());
  Draft(drafter_, {1, 2, 3});

  Draft(drafter_, {1, 2, 3, 10, 11, 12});

  EXPECT_THAT(tree_.tokens(), ElementsAre(12, 13, 14, 15));
}

TEST_F(ExpectedDrafterTest, SaysNothingAfterTheEnd) {
  ASSERT_TRUE(drafter_.SetExpected({10, 11}).ok());
  Draft(drafter_, {1});

  Draft(drafter_, {1, 10, 11});

  EXPECT_EQ(tree_.size(), 1);
}

TEST_F(ExpectedDrafterTest, OffersBothAReplacedAndAnInsertedToken) {
  ASSERT_TRUE(drafter_.SetExpected({10, 11, 12, 13, 14}).ok());
  Draft(drafter_, {1});

  Draft(drafter_, {1, 10, 50}, {.max_nodes = 16, .max_depth = 1});

  // 50 stood for 11, or before it.
  EXPECT_THAT(tree_.tokens(), ElementsAre(50, 12, 11));
}

struct Edit {
  const char* name;
  std::vector<Token> answer;
  std::vector<Token> next;  // what is guessed then
};

class Edits : public ExpectedDrafterTest,
              public testing::WithParamInterface<Edit> {};

TEST_P(Edits, TheCursorFindsItsPlace) {
  ASSERT_TRUE(drafter_.SetExpected(Sequence(10, 20)).ok());
  std::vector<Token> text = {1};
  Draft(drafter_, text);
  for (const Token token : GetParam().answer) {
    text.push_back(token);
    Draft(drafter_, text, {.max_nodes = 4, .max_depth = 3});
  }

  std::vector<Token> next;
  tree_.GetPath(tree_.size() - 1, &next);
  EXPECT_EQ(next, GetParam().next);
}

INSTANTIATE_TEST_SUITE_P(
    ExpectedDrafter, Edits,
    testing::Values(
        Edit{"Inserted", {10, 11, 50, 51, 52, 12, 13}, {14, 15, 16}},
        Edit{"Dropped", {10, 11, 16, 17}, {18, 19, 20}},
        Edit{"Replaced", {10, 11, 50, 51, 14, 15}, {16, 17, 18}},
        Edit{"SaidAgain", {10, 11, 12, 13, 14, 11, 12}, {13, 14, 15}}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(ExpectedDrafterTest, AtEqualContextsThePlaceAheadWins) {
  ASSERT_TRUE(
      drafter_.SetExpected({5, 6, 20, 30, 31, 32, 5, 6, 21, 33, 5, 6, 22})
          .ok());
  std::vector<Token> text = {1};
  Draft(drafter_, text);
  for (const Token token : {5, 6, 20, 30, 31, 32, 70, 5, 6}) {
    text.push_back(token);
    Draft(drafter_, text, {.max_nodes = 2, .max_depth = 1});
  }

  EXPECT_EQ(tree_.token(1), 21);
}

TEST_F(ExpectedDrafterTest, ALongerContextBeatsANearerPlace) {
  ASSERT_TRUE(
      drafter_.SetExpected({1, 2, 3, 5, 6, 20, 30, 31, 7, 5, 6, 21}).ok());
  Draft(drafter_, {9});

  Draft(drafter_, {9, 1, 2, 70, 7, 5, 6});

  EXPECT_EQ(tree_.token(1), 21);
}

// An answer that edits what was expected, at random.
TEST_F(ExpectedDrafterTest, ManyEditsCostFewRounds) {
  std::mt19937 random(3);
  const auto below = [&](int32_t limit) {
    return static_cast<int32_t>(random() % static_cast<uint32_t>(limit));
  };
  std::vector<Token> expected(600);
  for (Token& token : expected) token = below(100);
  std::vector<Token> target = {1, 2, 3};
  int num_edits = 0;
  for (const Token token : expected) {
    if (below(30) > 0) {
      target.push_back(token);
      continue;
    }
    ++num_edits;
    if (below(3) == 0) continue;
    for (int32_t i = 1 + below(3); i > 0; --i)
      target.push_back(100 + below(100));
    if (below(2) == 0) target.push_back(token);
  }
  ASSERT_TRUE(drafter_.SetExpected(expected).ok());

  const int num_rounds = NumRounds(drafter_, target, {1, 2, 3});

  // Nine tokens a round without edits; an edit costs its new tokens and a few.
  EXPECT_LT(num_rounds, 600 / 9 + num_edits * 6);
  EXPECT_LT(num_rounds, static_cast<int>(target.size()) / 3);
}

TEST_F(ExpectedDrafterTest, ScoresApproachTheTrueRate) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    ASSERT_TRUE(drafter_.SetExpected({10}).ok());
    std::vector<Token> text = {1};
    const bool is_hit = std::bernoulli_distribution(0.6)(random);
    Round(drafter_, {1, is_hit ? 10 : 90}, &text);
  }
  ASSERT_TRUE(drafter_.SetExpected({10}).ok());
  Draft(drafter_, {1});

  EXPECT_NEAR(tree_.score(1), 0.6, 0.06);
}

TEST_F(ExpectedDrafterTest, KeepsToTheBudget) {
  ASSERT_TRUE(drafter_.SetExpected(Sequence(10, 100)).ok());
  const std::vector<double> seconds = {0, .1, .2, .3, 1.3, 2.3, 3.3};
  TreeBudget budget = {.max_nodes = 64, .max_depth = 16};
  budget.tokens_per_second = 1.0;
  budget.pass_seconds = seconds;

  Draft(drafter_, {1}, budget);
  EXPECT_EQ(tree_.size(), 3);
  Draft(drafter_, {1}, {.max_nodes = 64, .max_depth = 2});
  EXPECT_EQ(tree_.size(), 3);
  Draft(drafter_, {1}, {.max_nodes = 1, .max_depth = 9});
  EXPECT_EQ(tree_.size(), 1);
}

TEST_F(ExpectedDrafterTest, ARollbackMovesTheCursorBack) {
  ASSERT_TRUE(drafter_.SetExpected(Sequence(10, 20)).ok());
  Draft(drafter_, {1});
  Draft(drafter_, {1, 10, 11, 12, 13});

  drafter_.Rollback(3);
  Draft(drafter_, {1, 10, 11});
  EXPECT_THAT(tree_.tokens(), ElementsAre(11, 12, 13, 14, 15));
  // What strayed, and more.
  Draft(drafter_, {1, 10, 11, 50, 51});
  drafter_.Rollback(2);
  Draft(drafter_, {1, 10});
  EXPECT_THAT(tree_.tokens(), ElementsAre(10, 11, 12, 13, 14));
  // Back to where the answer starts, without being told.
  Draft(drafter_, {1});
  EXPECT_THAT(tree_.tokens(), ElementsAre(1, 10, 11, 12, 13));
}

TEST_F(ExpectedDrafterTest, ARollbackBeyondAJumpFindsThePlaceAgain) {
  ASSERT_TRUE(drafter_.SetExpected(Sequence(10, 20)).ok());
  Draft(drafter_, {1});
  Draft(drafter_, {1, 10, 11, 12, 50});
  Draft(drafter_, {1, 10, 11, 12, 50, 20, 21});
  EXPECT_EQ(tree_.token(1), 22);

  drafter_.Rollback(4);
  Draft(drafter_, {1, 10, 11, 12});

  EXPECT_THAT(tree_.tokens(), ElementsAre(12, 13, 14, 15, 16));
}

TEST_F(ExpectedDrafterTest, AForkGoesItsOwnWay) {
  ASSERT_TRUE(drafter_.SetExpected(Sequence(10, 20)).ok());
  Draft(drafter_, {1});
  const uint64_t bytes = memory_.used_bytes();

  std::unique_ptr<Drafter> fork = *drafter_.Fork();
  EXPECT_EQ(memory_.used_bytes(), bytes);
  Draft(*fork, {1, 10, 11});
  EXPECT_EQ(tree_.token(1), 12);
  ASSERT_TRUE(drafter_.SetExpected({}).ok());
  Draft(*fork, {1, 10, 11, 12});
  EXPECT_EQ(tree_.token(1), 13);
  Draft(drafter_, {1});
  EXPECT_EQ(tree_.size(), 1);
}

TEST_F(ExpectedDrafterTest, RefusesTokensOfNoVocabulary) {
  ASSERT_TRUE(drafter_.SetExpected({10, 11}).ok());

  EXPECT_EQ(drafter_.SetExpected({1, kVocabularySize}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(drafter_.SetExpected({-1}).code(),
            absl::StatusCode::kInvalidArgument);

  Draft(drafter_, {1});
  EXPECT_EQ(tree_.token(1), 10);
}

// Nothing but speed may depend on what the text does.
TEST_F(ExpectedDrafterTest, SurvivesAnyText) {
  std::mt19937 random(4);
  const auto below = [&](size_t limit) { return random() % limit; };
  std::vector<Token> text = {1};
  for (int step = 0; step < 5000; ++step) {
    if (below(200) == 0) {
      std::vector<Token> expected(below(300));
      for (Token& token : expected) token = static_cast<Token>(below(4));
      ASSERT_TRUE(drafter_.SetExpected(expected).ok());
    }
    for (size_t i = below(4); i > 0; --i)
      text.push_back(static_cast<Token>(below(4)));
    if (below(6) == 0) text.resize(1 + below(text.size()));
    if (below(6) == 0) drafter_.Rollback(below(text.size() + 1));
    Draft(drafter_, text, {.max_nodes = 20, .max_depth = 10});
    ASSERT_LE(tree_.size(), 20);
  }
}

}  // namespace
}  // namespace specinfer
