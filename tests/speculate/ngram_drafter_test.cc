#include "src/speculate/ngram_drafter.h"

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace specinfer {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int32_t kMaxNodes = 256;

class NgramDrafterTest : public testing::Test {
 protected:
  std::unique_ptr<NgramDrafter> MakeDrafter(
      std::shared_ptr<const Corpus> corpus = nullptr,
      int32_t max_tokens = 4096) {
    return *NgramDrafter::Create(memory_, max_tokens, std::move(corpus));
  }

  std::shared_ptr<Corpus> MakeCorpus() {
    return *Corpus::Create(memory_,
                           {.max_tokens = 1024, .vocabulary_size = 100000});
  }

  void Draft(Drafter& drafter, const std::vector<Token>& text,
             const TreeBudget& budget = {.max_nodes = 64, .max_depth = 16}) {
    tree_.Reset(text.back());
    DraftRequest request;
    request.text = text;
    request.budget = budget;
    request.source = 3;
    ASSERT_TRUE(drafter.Draft(request, &tree_).ok());
  }

  // What the round was if the target chose `chosen` in turn.
  Walk Follow(const std::vector<Token>& chosen) {
    Walk walk;
    size_t next = 0;
    EXPECT_TRUE(MatchVerify(
                    tree_, [&](int32_t) { return chosen[next++]; }, &walk)
                    .ok());
    return walk;
  }

  std::vector<Token> TokensBelow(int32_t node) const {
    std::vector<Token> tokens;
    for (int32_t child = tree_.first_child(node); child >= 0;
         child = tree_.next_sibling(child)) {
      tokens.push_back(tree_.token(child));
    }
    return tokens;
  }

  Memory memory_{0};
  TokenTree tree_{kMaxNodes};
};

TEST_F(NgramDrafterTest, GuessesWhatFollowedBefore) {
  auto drafter = MakeDrafter();

  Draft(*drafter, {1, 2, 3, 4, 5, 6, 1, 2}, {.max_nodes = 5, .max_depth = 16});

  EXPECT_THAT(tree_.tokens(), ElementsAre(2, 3, 4, 5, 6));
  EXPECT_TRUE(tree_.is_chain());
  EXPECT_EQ(tree_.source(1), 3);
}

TEST_F(NgramDrafterTest, GuessesNothingInANewText) {
  auto drafter = MakeDrafter();

  Draft(*drafter, {1, 2, 3, 4, 5, 6});

  EXPECT_EQ(tree_.size(), 1);
}

TEST_F(NgramDrafterTest, GoesOnThroughItsOwnGuesses) {
  auto drafter = MakeDrafter();

  Draft(*drafter, {1, 2, 3, 1, 2, 3, 1, 2}, {.max_nodes = 12, .max_depth = 11});

  EXPECT_THAT(tree_.tokens(), ElementsAre(2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1));
}

TEST_F(NgramDrafterTest, MergesMatchesIntoATrie) {
  auto drafter = MakeDrafter();

  Draft(*drafter, {1, 2, 3, 8, 1, 2, 3, 9, 5, 1, 2, 4, 7, 5, 1, 2},
        {.max_nodes = 64, .max_depth = 2});

  // "5 1 2" is the longest; the two that say 3 share a node.
  EXPECT_THAT(TokensBelow(0), ElementsAre(4, 3));
  EXPECT_THAT(TokensBelow(tree_.FindChild(0, 3)), ElementsAre(9, 8));
  EXPECT_THAT(TokensBelow(tree_.FindChild(0, 4)), ElementsAre(7));
}

TEST_F(NgramDrafterTest, TheLongestMatchSaysTheLikeliestToken) {
  auto drafter = MakeDrafter();

  Draft(*drafter, {4, 1, 2, 7, 1, 2, 8, 1, 2, 9, 4, 1, 2},
        {.max_nodes = 64, .max_depth = 1});

  EXPECT_EQ(tree_.token(1), 7);
  EXPECT_GT(tree_.score(1), tree_.score(2));
  EXPECT_LE(tree_.score(1) + tree_.score(2) + tree_.score(3), 1.0f);
}

TEST_F(NgramDrafterTest, LongerMatchesAreTrustedMore) {
  auto drafter = MakeDrafter();
  Draft(*drafter, {1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 30, 8, 9});
  const float of_two = tree_.score(1);
  drafter = MakeDrafter();
  Draft(*drafter, {1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 30, 2, 3, 4, 5, 6, 7, 8, 9});

  EXPECT_GT(tree_.score(1), of_two);
}

TEST_F(NgramDrafterTest, StopsWhereANodeIsNotWorthItsTime) {
  const std::vector<Token> text = {1, 2, 3, 4, 5, 6, 1, 2};
  // A row costs 0.1 s at 2 tokens/s, from the fifth on 1 s.
  const std::vector<double> seconds = {0, .1, .2, .3, .4, 1.4, 2.4, 3.4};
  TreeBudget budget = {.max_nodes = 64, .max_depth = 16};
  budget.tokens_per_second = 2.0;
  budget.pass_seconds = seconds;
  auto drafter = MakeDrafter();

  Draft(*drafter, text, budget);

  ASSERT_GT(tree_.size(), 1);
  EXPECT_LE(tree_.size(), 4);
  for (int32_t node = 1; node < tree_.size(); ++node)
    EXPECT_GE(tree_.score(node), 0.2f);
}

TEST_F(NgramDrafterTest, AddsToWhatOthersProposed) {
  auto drafter = MakeDrafter();
  const std::vector<Token> text = {1, 2, 3, 4, 5, 6, 1, 2};
  tree_.Reset(2);
  tree_.AddNode(0, 3, 0.01f, 1);
  tree_.AddNode(0, 50, 0.9f, 1);
  DraftRequest request;
  request.text = text;
  request.budget = {.max_nodes = 4, .max_depth = 8};
  request.source = 2;

  ASSERT_TRUE(drafter->Draft(request, &tree_).ok());

  EXPECT_THAT(tree_.tokens(), ElementsAre(2, 3, 50, 4));
  EXPECT_THAT(tree_.source(1), 1);
  EXPECT_THAT(tree_.source(3), 2);
  EXPECT_GT(tree_.score(1), 0.01f);
}

TEST_F(NgramDrafterTest, AFullTreeStaysAsItIs) {
  auto drafter = MakeDrafter();
  const std::vector<Token> text = {1, 2, 3, 4, 5, 6, 1, 2};
  TokenTree full(1);
  full.Reset(2);
  DraftRequest request;
  request.text = text;
  request.budget = {.max_nodes = 64, .max_depth = 8};

  ASSERT_TRUE(drafter->Draft(request, &full).ok());

  EXPECT_EQ(full.size(), 1);
}

// A target that repeats with some noise, and budgets of all kinds.
TEST_F(NgramDrafterTest, KeepsToTheBudgetWhateverHappens) {
  std::mt19937 random(7);
  const auto below = [&](int32_t limit) {
    return static_cast<int32_t>(random() % static_cast<uint32_t>(limit));
  };
  auto drafter = MakeDrafter(nullptr, 600);
  std::vector<Token> text = {1, 2, 3};
  int64_t num_nodes = 0;
  for (int round = 0; round < 3000; ++round) {
    const TreeBudget budget = {.max_nodes = 1 + below(40),
                               .max_depth = below(12),
                               .max_children = 1 + below(4)};
    Draft(*drafter, text, budget);
    ASSERT_LE(tree_.size(), budget.max_nodes);
    num_nodes += tree_.size() - 1;
    for (int32_t node = 1; node < tree_.size(); ++node) {
      const int32_t parent = tree_.parent(node);
      ASSERT_LT(parent, node);
      ASSERT_LE(tree_.depth(node), budget.max_depth);
      ASSERT_LE(tree_.score(node), tree_.score(parent));
      ASSERT_GT(tree_.score(node), 0.0f);
      const auto tokens = TokensBelow(parent);
      ASSERT_LE(tokens.size(), static_cast<size_t>(budget.max_children));
      ASSERT_EQ(std::set<Token>(tokens.begin(), tokens.end()).size(),
                tokens.size());
    }
    std::vector<Token> chosen(20);
    for (size_t i = 0; i < chosen.size(); ++i)
      chosen[i] = below(5) == 0 ? below(6) : static_cast<Token>(i % 3);
    const Walk walk = Follow(chosen);
    drafter->Accept(text, tree_, walk, {});
    text.insert(text.end(), walk.tokens.begin(), walk.tokens.end());
    if (below(20) == 0) {
      text.resize(
          1 + static_cast<size_t>(below(static_cast<int32_t>(text.size()))));
      if (below(2) == 0) drafter->Rollback(text.size());
      if (below(2) == 0) text[text.size() / 2] = 77;
    }
  }
  EXPECT_GT(num_nodes, 3000);
}

TEST_F(NgramDrafterTest, ScoresApproachTheTrueRate) {
  const std::vector<Token> text = {1, 2, 3, 4, 5, 6, 1, 2};
  std::mt19937 random(1);
  auto drafter = MakeDrafter();
  for (const double rate : {0.7, 0.1, 0.95}) {
    for (int round = 0; round < 3000; ++round) {
      Draft(*drafter, text);
      const bool is_hit = std::bernoulli_distribution(rate)(random);
      drafter->Accept(text, tree_, Follow({is_hit ? 3 : 99, 99}), {});
    }
    Draft(*drafter, text);
    EXPECT_NEAR(tree_.score(1), rate, 0.06);
  }
}

TEST_F(NgramDrafterTest, LearnsWithoutSpendingANode) {
  const std::vector<Token> text = {1, 2, 3, 4, 5, 6, 1, 2};
  auto drafter = MakeDrafter();
  for (int round = 0; round < 1000; ++round) {
    Draft(*drafter, text, {.max_nodes = 1, .max_depth = 0});
    ASSERT_EQ(tree_.size(), 1);
    drafter->Accept(text, tree_, Follow({3}), {});
  }

  Draft(*drafter, text);

  EXPECT_GT(tree_.score(1), 0.95f);
}

TEST_F(NgramDrafterTest, PlacesThatWereNotReachedTeachNothing) {
  const std::vector<Token> text = {1, 2, 3, 4, 5, 6, 7, 1, 2};
  auto drafter = MakeDrafter();
  Draft(*drafter, text);
  const float third = tree_.score(3) / tree_.score(2);
  for (int round = 0; round < 1000; ++round) {
    Draft(*drafter, text);
    // The first is right, the second never.
    drafter->Accept(text, tree_, Follow({3, 99}), {});
  }

  Draft(*drafter, text);

  EXPECT_GT(tree_.score(1), 0.95f);
  EXPECT_LT(tree_.score(2) / tree_.score(1), 0.1f);
  EXPECT_NEAR(tree_.score(3) / tree_.score(2), third, 1e-3f);
}

TEST_F(NgramDrafterTest, AfterARollbackItIsAsIfNothingHadBeenThere) {
  auto drafter = MakeDrafter();
  Draft(*drafter, {1, 2, 3, 1, 2, 4, 1, 2});

  drafter->Rollback(3);
  Draft(*drafter, {1, 2, 3, 1, 2});

  EXPECT_THAT(TokensBelow(0), ElementsAre(3));
}

TEST_F(NgramDrafterTest, FollowsATextThatChangedUnderIt) {
  auto drafter = MakeDrafter();
  Draft(*drafter, {1, 2, 3, 1, 2, 4, 1, 2});

  Draft(*drafter, {1, 2, 5, 6, 1, 2, 6, 1, 2, 7, 8, 1, 2});

  EXPECT_THAT(TokensBelow(0), ElementsAre(7, 6, 5));
}

TEST_F(NgramDrafterTest, ATextLongerThanItsRoomIsGuessedFromItsStart) {
  auto drafter = MakeDrafter(nullptr, 4);
  const std::vector<Token> text = {1, 2, 3, 4, 5, 6, 1, 2};

  Draft(*drafter, text, {.max_nodes = 3, .max_depth = 2});

  EXPECT_THAT(tree_.tokens(), ElementsAre(2, 3, 4));
}

TEST_F(NgramDrafterTest, AForkGoesItsOwnWay) {
  auto drafter = MakeDrafter();
  const std::vector<Token> text = {1, 2, 3, 1, 2};
  Draft(*drafter, text);

  std::unique_ptr<Drafter> fork = *drafter->Fork();
  Draft(*fork, {1, 2, 3, 1, 2, 9, 1, 2}, {.max_nodes = 8, .max_depth = 1});
  EXPECT_THAT(TokensBelow(0), ElementsAre(9, 3));
  Draft(*drafter, text, {.max_nodes = 8, .max_depth = 1});
  EXPECT_THAT(TokensBelow(0), ElementsAre(3));
}

TEST_F(NgramDrafterTest, GuessesFromACorpus) {
  auto corpus = MakeCorpus();
  ASSERT_TRUE(corpus->Add({1, 2, 3, 4}).ok());
  ASSERT_TRUE(corpus->Add({50, 60, 70}).ok());
  auto drafter = MakeDrafter(corpus);

  Draft(*drafter, {9, 1, 2});

  // Not past the end of its text.
  EXPECT_THAT(tree_.tokens(), ElementsAre(2, 3, 4));
}

TEST_F(NgramDrafterTest, TheTextItselfComesBeforeACorpus) {
  auto corpus = MakeCorpus();
  ASSERT_TRUE(corpus->Add({1, 2, 7}).ok());
  auto drafter = MakeDrafter(corpus);

  Draft(*drafter, {1, 2, 3, 1, 2}, {.max_nodes = 8, .max_depth = 1});

  EXPECT_THAT(TokensBelow(0), ElementsAre(3, 7));
}

TEST_F(NgramDrafterTest, AClearedCorpusSaysNothing) {
  auto corpus = MakeCorpus();
  ASSERT_TRUE(corpus->Add({1, 2, 3, 4}).ok());
  auto drafter = MakeDrafter(corpus);
  corpus->Clear();

  Draft(*drafter, {9, 1, 2});

  EXPECT_THAT(TokensBelow(0), IsEmpty());
}

}  // namespace
}  // namespace specinfer
