// A model as a drafter, by itself.
#include "src/speculate/model_drafter.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/base/clock.h"
#include "tests/session/faulty_backend.h"
#include "tests/session/tiny_models.h"

namespace specinfer {
namespace {

constexpr TreeBudget kChain = {
    .max_nodes = 8, .max_depth = 7, .max_children = 1};
constexpr TreeBudget kTree = {.max_nodes = 12, .max_depth = 6};

class ModelDrafterTest : public testing::Test {
 protected:
  void SetUp() override {
    model_ = LoadTiny("tiny-llama", MakeFaultyEngine(&ops_));
    ASSERT_NE(model_, nullptr);
  }

  std::unique_ptr<ModelDrafter> MakeDrafter(
      const ModelDrafterOptions& options = {.max_nodes = 16,
                                            .max_context_tokens = 256}) {
    return *ModelDrafter::Create({.backend = model_->engine().backend.get(),
                                  .architecture = &model_->architecture(),
                                  .layout = &model_->cache_layout(),
                                  .weights = &model_->weights(),
                                  .proposable = model_->samplable_tokens(),
                                  .times = &model_->draft_times()},
                                 options);
  }

  // Drafts whatever it costs, in steps of `step_us` (0: in one).
  static TokenTree Draft(ModelDrafter& drafter, const std::vector<Token>& text,
                         const TreeBudget& budget, int64_t step_us = 0) {
    TokenTree tree(16);
    tree.Reset(text.back());
    absl::Status status;
    do {
      DraftRequest request;
      request.text = text;
      request.budget = budget;
      request.source = 1;
      if (step_us > 0) request.control.deadline_us = NowMicros() + step_us;
      status = drafter.Draft(request, &tree);
    } while (absl::IsDeadlineExceeded(status));
    EXPECT_TRUE(status.ok()) << status;
    return tree;
  }

  // The round ends with the first `num_accepted` nodes of a chain, and `next`.
  static void Accept(ModelDrafter& drafter, const TokenTree& tree,
                     int32_t num_accepted, Token next,
                     std::vector<Token>* text) {
    Walk walk;
    for (int32_t node = 0; node <= num_accepted; ++node) {
      walk.path.push_back(node);
      walk.nodes.push_back(node);
      walk.tokens.push_back(node < num_accepted ? tree.token(node + 1) : next);
    }
    drafter.Accept(*text, tree, walk, {});
    text->insert(text->end(), walk.tokens.begin(), walk.tokens.end());
  }

  static std::vector<Token> Tokens(const TokenTree& tree) {
    return {tree.tokens().begin(), tree.tokens().end()};
  }

  static std::vector<Token> Text(size_t length) {
    std::vector<Token> text;
    uint32_t state = 3;
    while (text.size() < length) {
      state = state * 1664525u + 1013904223u;
      text.push_back(static_cast<Token>((state >> 8) % 200));
    }
    return text;
  }

  FaultPlan ops_;  // counts; nothing fails
  std::shared_ptr<const Model> model_;
};

// What has followed the text through rounds guesses what one guesses that
// reads it anew.
TEST_F(ModelDrafterTest, FollowsTheText) {
  const auto drafter = MakeDrafter();
  std::vector<Token> text = Text(40);
  for (const int32_t num_accepted : {7, 0, 3, 1, 7, 7, 2}) {
    const TokenTree tree = Draft(*drafter, text, kChain);
    ASSERT_EQ(tree.size(), 8);
    ASSERT_TRUE(tree.is_chain());
    EXPECT_EQ(Tokens(tree), Tokens(Draft(*MakeDrafter(), text, kChain)));
    Accept(*drafter, tree, num_accepted, /*next=*/17, &text);
  }
}

TEST_F(ModelDrafterTest, FollowsATextThatIsCutAndForked) {
  const auto drafter = MakeDrafter();
  std::vector<Token> text = Text(60);
  Accept(*drafter, Draft(*drafter, text, kChain), 4, 9, &text);
  const auto fork = *drafter->Fork();
  text.resize(50);
  drafter->Rollback(50);
  fork->Rollback(50);
  text.push_back(11);

  const std::vector<Token> expected =
      Tokens(Draft(*MakeDrafter(), text, kChain));
  EXPECT_EQ(Tokens(Draft(*drafter, text, kChain)), expected);
  EXPECT_EQ(Tokens(Draft(static_cast<ModelDrafter&>(*fork), text, kChain)),
            expected);
}

TEST_F(ModelDrafterTest, StoppedAtDeadlinesDraftsTheSameTree) {
  const std::vector<Token> text = Text(150);
  const TokenTree whole = Draft(*MakeDrafter(), text, kTree);
  ASSERT_FALSE(whole.is_chain());

  const TokenTree parts = Draft(*MakeDrafter(), text, kTree, /*step_us=*/20);

  ASSERT_EQ(Tokens(parts), Tokens(whole));
  for (int32_t node = 1; node < whole.size(); ++node) {
    EXPECT_EQ(parts.parent(node), whole.parent(node));
    EXPECT_EQ(parts.score(node), whole.score(node));
    EXPECT_LE(whole.score(node), whole.score(whole.parent(node)));
  }
}

TEST_F(ModelDrafterTest, DraftsNothingThatCostsMoreThanItBrings) {
  const auto drafter = MakeDrafter();
  TreeBudget dear = kTree;
  dear.tokens_per_second = 1e9;

  EXPECT_EQ(Draft(*drafter, Text(40), dear).size(), 1);
}

TEST_F(ModelDrafterTest, GoesOnFromTheNodesOfOthers) {
  const std::vector<Token> text = Text(40);
  TokenTree tree(16);
  tree.Reset(text.back());
  const int32_t strange = tree.AddNode(0, 150, 0.9f, 0);
  DraftRequest request;
  request.text = text;
  request.budget = kTree;
  request.source = 1;
  ASSERT_TRUE(MakeDrafter()->Draft(request, &tree).ok());

  std::vector<Token> longer = text;
  longer.push_back(150);
  const TokenTree below = Draft(*MakeDrafter(), longer, kChain);
  const int32_t child = tree.FindChild(strange, below.token(1));
  ASSERT_GT(child, 0);
  EXPECT_EQ(tree.source(child), 1);
}

// Both opinions count: what the network would say too gains, what it would not
// say loses, with all that hangs from it.
TEST_F(ModelDrafterTest, JudgesTheGuessesOfOthers) {
  const std::vector<Token> text = Text(40);
  const Token own = Draft(*MakeDrafter(), text, kChain).token(1);
  const Token strange = own == 150 ? 151 : 150;
  const auto judge = [&](Token token) {
    TokenTree tree(16);
    tree.Reset(text.back());
    tree.AddNode(tree.AddNode(0, token, 0.6f, 0), 7, 0.3f, 0);
    DraftRequest request;
    request.text = text;
    request.budget = kTree;
    request.source = 1;
    EXPECT_TRUE(MakeDrafter()->Draft(request, &tree).ok());
    EXPECT_EQ(tree.token(1), token);
    // Half of it before; the network would not say 7 there.
    EXPECT_LT(tree.score(2), 0.2f * tree.score(1));
    return tree.score(1);
  };
  EXPECT_LT(judge(strange), 0.2f);
  EXPECT_GT(judge(own), judge(strange));
}

TEST_F(ModelDrafterTest, DropsGuessesOfOthersThatItMakesUnworthy) {
  const std::vector<Token> text = Text(40);
  const auto drafter = MakeDrafter();
  Draft(*drafter, text, kChain);  // passes are timed, so drafting is cheap
  const TokenTree own = Draft(*MakeDrafter(), text, kChain);
  TokenTree tree(16);
  tree.Reset(text.back());
  tree.AddNode(0, own.token(1) == 150 ? 151 : 150, 0.6f, 0);
  tree.AddNode(tree.AddNode(0, own.token(1), 0.39f, 0), own.token(2), 0.389f,
               0);
  // A row is worth a tenth of a token; drafting costs nothing beside that.
  std::vector<double> seconds;
  for (int rows = 0; rows < 17; ++rows) seconds.push_back(1e6 * rows);
  DraftRequest request;
  request.text = text;
  request.budget = kTree;
  request.budget.tokens_per_second = 1e-7;
  request.budget.pass_seconds = seconds;
  request.source = 1;
  ASSERT_TRUE(drafter->Draft(request, &tree).ok());
  ASSERT_GE(tree.size(), 3);
  EXPECT_EQ(tree.token(1), own.token(1));
  EXPECT_EQ(tree.token(2), own.token(2));

  // It keeps what it had fed of those that stay, and nothing of the others: the
  // next round drafts as ever.
  std::vector<Token> next_text = text;
  Accept(*drafter, tree, 2, 9, &next_text);
  EXPECT_EQ(Tokens(Draft(*drafter, next_text, kChain)),
            Tokens(Draft(*MakeDrafter(), next_text, kChain)));
}

TEST_F(ModelDrafterTest, LearnsWhoseOpinionCounts) {
  const std::vector<Token> text = Text(40);
  const auto drafter = MakeDrafter();
  const Token strange =
      Draft(*drafter, text, kChain).token(1) == 150 ? 151 : 150;
  float first = 0.0f;
  float last = 0.0f;
  for (int round = 0; round < 50; ++round) {
    TokenTree tree(16);
    tree.Reset(text.back());
    tree.AddNode(0, strange, 0.6f, 0);
    DraftRequest request;
    request.text = text;
    request.budget = kTree;
    request.source = 1;
    ASSERT_TRUE(drafter->Draft(request, &tree).ok());
    last = tree.score(1);
    if (round == 0) first = last;
    std::vector<Token> next_text = text;
    Accept(*drafter, tree, 1, 9, &next_text);
    drafter->Rollback(text.size());
  }
  EXPECT_LT(first, 0.2f);
  EXPECT_GT(last, 0.4f);
}

// A text that is not followed is read from a little way back, and one that has
// outgrown the drafter's own context is read anew, once.
TEST_F(ModelDrafterTest, JoinsALongTextLateAndAgainWhereItIsFull) {
  const auto drafter = MakeDrafter(
      {.max_nodes = 8, .max_context_tokens = 64, .read_back_tokens = 40});
  std::vector<Token> text = Text(200);
  const std::vector<Token> end(text.end() - 33, text.end());
  const TokenTree tree = Draft(*drafter, text, kChain);
  // Half of its context, and the root.
  EXPECT_EQ(Tokens(tree), Tokens(Draft(*MakeDrafter(), end, kChain)));

  // 80 tokens more, of which 32 fit each time; reading is one more pass.
  std::vector<long> ops_of_rounds;
  for (int round = 0; round < 40; ++round) {
    const long before = ops_.num_ops;
    const TokenTree next = Draft(*drafter, text, kChain);
    ops_of_rounds.push_back(ops_.num_ops - before);
    Accept(*drafter, next, 1, 5, &text);
    EXPECT_EQ(drafter->PredictJoining(text.size()), 0.0);
  }
  const auto [least, most] =
      std::minmax_element(ops_of_rounds.begin(), ops_of_rounds.end());
  EXPECT_GT(*most, *least);
  EXPECT_LE(std::count(ops_of_rounds.begin(), ops_of_rounds.end(), *most), 3);
}

}  // namespace
}  // namespace specinfer
