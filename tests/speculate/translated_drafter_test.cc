#include "src/speculate/translated_drafter.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "tests/speculate/knowing_drafter.h"
#include "tests/text/tiny_vocabulary.h"

namespace specinfer {
namespace {

constexpr int32_t kMaxNodes = 64;
constexpr const char* kText =
    "The quick brown fox can't jump over 1984 naïve café owners, she's sure.\n"
    "for (int i = 0; i < 100; ++i) {\n    sum += values[i];  // loop\n}\n"
    "There is nothing in the world that the old man would rather do than sit "
    "on the bench and tell the children stories. 中文字符 and 😀👍🏽 "
    "are "
    "text.\n"
    "She said that it was the best of times, and then it was the worst.\n";

std::unique_ptr<Tokenizer> Load(const std::string& name) {
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer =
      TokenizerFromJson(ReadTestdata("tokenizer/" + name + ".json"));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

// A target that writes `answer`, and what drafts bring it.
struct Outcome {
  int num_rounds = 0;
  int num_tokens = 0;
  int num_reached = 0, num_accepted = 0;
};

class Rounds {
 public:
  Rounds(const std::string& target, const std::string& draft,
         const std::string& text = kText)
      : target_(Load(target)), draft_(Load(draft)) {
    EXPECT_TRUE(target_->TokenizeContinuation(text, &answer_).ok());
    auto knowing = std::make_unique<KnowingDrafter>(*draft_, text);
    knowing_ = knowing.get();
    drafter_ = *TranslatedDrafter::Create(
        std::move(knowing), *draft_, *target_, memory_,
        {.max_nodes = kMaxNodes, .max_context_tokens = 2048});
    text_ = {answer_.begin(), answer_.begin() + 3};
  }

  absl::Status Draft(Drafter& drafter, int32_t max_depth = 32) {
    tree_.Reset(text_.back());
    DraftRequest request;
    request.text = text_;
    request.budget = {.max_nodes = kMaxNodes, .max_depth = max_depth};
    request.noise.temperature = 0.8f;
    request.source = 3;
    absl::Status status;
    do {
      status = drafter.Draft(request, &tree_);
    } while (absl::IsDeadlineExceeded(status));
    return status;
  }
  absl::Status Draft(int32_t max_depth = 32) {
    return Draft(*drafter_, max_depth);
  }

  void Verify() {
    walk_.Reserve(kMaxNodes);
    ASSERT_TRUE(MatchVerify(
                    tree_,
                    [this](int32_t node) {
                      const size_t index =
                          text_.size() + static_cast<size_t>(tree_.depth(node));
                      return index < answer_.size() ? answer_[index] : 0;
                    },
                    &walk_)
                    .ok());
  }

  void Accept(Outcome* outcome = nullptr) {
    Verify();
    drafter_->Accept(text_, tree_, walk_, {});
    text_.insert(text_.end(), walk_.tokens.begin(), walk_.tokens.end());
    if (text_.size() > answer_.size()) text_.resize(answer_.size());
    if (outcome == nullptr) return;
    ++outcome->num_rounds;
    outcome->num_tokens += static_cast<int>(walk_.tokens.size());
    for (size_t i = 0; i < walk_.path.size(); ++i) {
      if (tree_.first_child(walk_.path[i]) >= 0) ++outcome->num_reached;
      if (i > 0) ++outcome->num_accepted;
    }
  }

  Outcome Run() {
    Outcome outcome;
    while (text_.size() + 12 < answer_.size()) {
      EXPECT_TRUE(Draft().ok());
      Accept(&outcome);
    }
    return outcome;
  }

  // The tree as text: each node's path.
  std::vector<std::string> Paths() const {
    std::vector<std::string> paths;
    for (int32_t node = 1; node < tree_.size(); ++node) {
      std::vector<Token> path;
      tree_.GetPath(node, &path);
      paths.push_back(Bytes(*target_, path));
    }
    return paths;
  }

  Memory memory_{0};
  std::unique_ptr<Tokenizer> target_, draft_;
  KnowingDrafter* knowing_;
  std::unique_ptr<Drafter> drafter_;
  std::vector<Token> answer_, text_;
  TokenTree tree_{kMaxNodes};
  Walk walk_;
};

class TranslatedDrafterOf
    : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(TranslatedDrafterOf, WhatIsKnownIsAcceptedNearlyAlways) {
  Rounds rounds(GetParam().first, GetParam().second);

  const Outcome outcome = rounds.Run();

  // Of eight tokens that are right hardly any are lost in translation.
  EXPECT_GT(outcome.num_accepted, outcome.num_reached * 9 / 10);
  EXPECT_GT(outcome.num_tokens, outcome.num_rounds * 6);
  // The drafter was told so in its own tokens.
  EXPECT_GT(rounds.knowing_->num_told, outcome.num_tokens / 2);
  EXPECT_GT(rounds.knowing_->num_accepted, rounds.knowing_->num_told * 8 / 10);
  EXPECT_LE(rounds.knowing_->num_refused, 2);
}

// A target that writes letter by letter is in the middle of the draft's tokens.
TEST_P(TranslatedDrafterOf, NobodyIsWrongBeforeTheTextHasComeSoFar) {
  Rounds rounds(GetParam().first, GetParam().second);
  rounds.answer_.clear();
  for (const char letter : std::string(kText).substr(0, 70)) {
    ASSERT_TRUE(
        rounds.target_
            ->TokenizeContinuation(std::string(1, letter), &rounds.answer_)
            .ok());
  }
  rounds.text_ = {rounds.answer_.begin(), rounds.answer_.begin() + 3};
  rounds.Run();

  EXPECT_EQ(rounds.knowing_->num_refused, 0);
}

TEST_P(TranslatedDrafterOf, BranchesShareTheirBeginnings) {
  Rounds rounds(GetParam().first, GetParam().second);
  rounds.knowing_->guesses_others = true;
  rounds.knowing_->num_guesses = 14;
  Outcome outcome;
  int num_branching = 0;
  while (rounds.text_.size() + 12 < rounds.answer_.size()) {
    ASSERT_TRUE(rounds.Draft().ok());
    std::vector<std::string> paths = rounds.Paths();
    for (int32_t node = 1; node < rounds.tree_.size(); ++node) {
      EXPECT_EQ(rounds.tree_.source(node), 3);
      EXPECT_LE(rounds.tree_.score(node),
                rounds.tree_.score(rounds.tree_.parent(node)));
    }
    if (!rounds.tree_.is_chain()) ++num_branching;
    rounds.Accept(&outcome);
  }
  EXPECT_GT(num_branching, outcome.num_rounds / 2);
  EXPECT_GT(outcome.num_tokens, outcome.num_rounds * 4);
}

// Another drafter's guesses, which are right, stand in the tree already.
TEST_P(TranslatedDrafterOf, GoesOnFromTheGuessesOfOthers) {
  Rounds rounds(GetParam().first, GetParam().second);
  rounds.knowing_->num_guesses = 16;
  for (int round = 0; round < 5; ++round) {
    rounds.tree_.Reset(rounds.text_.back());
    for (int32_t i = 0; i < 6; ++i) {
      rounds.tree_.AddNode(
          i, rounds.answer_[rounds.text_.size() + static_cast<size_t>(i)], 0.9f,
          /*source=*/1);
    }
    DraftRequest request;
    request.text = rounds.text_;
    request.budget = {.max_nodes = kMaxNodes, .max_depth = 32};
    request.source = 3;
    ASSERT_TRUE(rounds.drafter_->Draft(request, &rounds.tree_).ok());

    EXPECT_GT(rounds.tree_.size(), 7);
    EXPECT_EQ(rounds.tree_.source(6), 1);
    EXPECT_EQ(rounds.tree_.source(7), 3);
    Outcome outcome;
    rounds.Accept(&outcome);
    EXPECT_GE(outcome.num_tokens, 7);
  }
  EXPECT_GT(rounds.knowing_->num_seeds, 15);
}

TEST_P(TranslatedDrafterOf, DeadlinesChangeNothing) {
  Rounds one(GetParam().first, GetParam().second);
  Rounds other(GetParam().first, GetParam().second);
  other.knowing_->num_deadlines = 3;
  while (one.text_.size() + 12 < one.answer_.size()) {
    ASSERT_TRUE(one.Draft().ok());
    ASSERT_TRUE(other.Draft().ok());
    ASSERT_EQ(one.Paths(), other.Paths());
    one.Accept();
    other.Accept();
  }
}

TEST_P(TranslatedDrafterOf, GoesOnFromAnyEarlierText) {
  std::mt19937 random(1);
  Rounds rounds(GetParam().first, GetParam().second);
  for (int round = 0; round < 300; ++round) {
    ASSERT_TRUE(rounds.Draft().ok());
    const uint32_t what = random() % 4;
    if (what != 0) {
      rounds.Accept();
    }
    if (what <= 1 || rounds.text_.size() + 12 > rounds.answer_.size()) {
      rounds.text_.resize(3 + random() % (rounds.text_.size() - 2));
      rounds.drafter_->Rollback(rounds.text_.size());
    }
  }
}

TEST_P(TranslatedDrafterOf, RoundsWithoutADraftAreMadeUpFor) {
  Rounds rounds(GetParam().first, GetParam().second);
  for (size_t skipped = 1; skipped < 8; ++skipped) {
    ASSERT_TRUE(rounds.Draft().ok());
    EXPECT_GT(rounds.tree_.size(), 5);
    rounds.Accept();
    for (size_t i = 0; i < skipped; ++i) {
      rounds.tree_.Reset(rounds.text_.back());
      rounds.Accept();
    }
  }
}

TEST_P(TranslatedDrafterOf, AFailureIsPassedOnAndGotOver) {
  Rounds rounds(GetParam().first, GetParam().second);
  rounds.knowing_->failure = absl::InternalError("out of ideas");
  EXPECT_EQ(rounds.Draft().message(), "out of ideas");
  EXPECT_EQ(rounds.tree_.size(), 1);
  rounds.drafter_->Rollback(rounds.text_.size());

  ASSERT_TRUE(rounds.Draft().ok());
  EXPECT_GT(rounds.tree_.size(), 5);
}

TEST_P(TranslatedDrafterOf, ForksGoOnFromTheSameText) {
  Rounds rounds(GetParam().first, GetParam().second);
  ASSERT_TRUE(rounds.Draft().ok());
  rounds.Accept();

  const std::unique_ptr<Drafter> fork = *rounds.drafter_->Fork();
  ASSERT_TRUE(rounds.Draft(*fork).ok());
  const std::vector<std::string> paths = rounds.Paths();
  ASSERT_TRUE(rounds.Draft().ok());

  EXPECT_EQ(rounds.Paths(), paths);
  EXPECT_GT(rounds.tree_.size(), 5);
}

TEST_P(TranslatedDrafterOf, IsNoDeeperThanItMay) {
  Rounds rounds(GetParam().first, GetParam().second);
  for (int32_t max_depth = 0; max_depth < 6; ++max_depth) {
    ASSERT_TRUE(rounds.Draft(max_depth).ok());
    for (int32_t node = 0; node < rounds.tree_.size(); ++node)
      EXPECT_LE(rounds.tree_.depth(node), max_depth);
    rounds.Accept();
  }
}

// With seams anywhere: in words, in characters.
TEST_P(TranslatedDrafterOf, OffersWholeCharactersAfterAnySeam) {
  Rounds rounds(
      GetParam().first, GetParam().second,
      "café 中文字符 😀👍🏽 Übergröße 字符中文 naïve "
      "😀😀😀 "
      "end "
      "of "
      "it "
      "all");
  for (size_t size = 1; size < rounds.answer_.size(); ++size) {
    for (int32_t num_guesses = 1; num_guesses < 8; ++num_guesses) {
      rounds.text_ = {
          rounds.answer_.begin(),
          rounds.answer_.begin() + static_cast<std::ptrdiff_t>(size)};
      rounds.drafter_->Rollback(size - 1);
      rounds.knowing_->num_guesses = num_guesses;
      ASSERT_TRUE(rounds.Draft().ok());
      const std::string before = Bytes(*rounds.target_, rounds.text_);
      for (int32_t node = 1; node < rounds.tree_.size(); ++node) {
        std::vector<Token> path;
        rounds.tree_.GetPath(node, &path);
        const std::string after = before + Bytes(*rounds.target_, path);
        if (rounds.tree_.first_child(node) < 0) {
          EXPECT_TRUE(IsWellFormed(after)) << after;
        }
      }
      if (rounds.tree_.size() == 1) continue;
      // Before the last word all tokens are those the target writes; here it
      // has no more than two.
      for (size_t i = 1; i + 2 < static_cast<size_t>(rounds.tree_.size()) &&
                         size + i - 1 < rounds.answer_.size();
           ++i) {
        EXPECT_EQ(rounds.tree_.token(static_cast<int32_t>(i)),
                  rounds.answer_[size + i - 1])
            << before << "|" << rounds.Paths().back();
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, TranslatedDrafterOf,
                         testing::Values(std::pair("qwen2", "smollm"),
                                         std::pair("smollm", "qwen2"),
                                         std::pair("llama3", "gpt2"),
                                         std::pair("characters", "qwen2"),
                                         std::pair("qwen35", "characters")),
                         [](const auto& tested) {
                           return std::string(tested.param.first) + "By" +
                                  tested.param.second;
                         });

TEST(TranslatedDrafter, OffersTheEndAsTheTargetSpellsIt) {
  Rounds rounds("qwen2", "smollm", "Yes it is so");
  rounds.knowing_->num_guesses = 50;
  rounds.knowing_->end = rounds.draft_->FindSpecial("<|im_end|>");
  ASSERT_TRUE(rounds.Draft().ok());

  const int32_t last = rounds.tree_.size() - 1;
  EXPECT_EQ(rounds.tree_.token(last),
            rounds.target_->FindSpecial("<|im_end|>"));
  EXPECT_EQ(rounds.tree_.depth(last),
            static_cast<int32_t>(rounds.answer_.size() - 3 + 1));
}

TEST(TranslatedDrafter, ScoresFallAsThoseOfTheDraftDo) {
  Rounds rounds("qwen2", "smollm");
  rounds.knowing_->num_guesses = 8;
  ASSERT_TRUE(rounds.Draft().ok());

  float last = 0.0f;
  for (int32_t node = 1; node < rounds.tree_.size(); ++node)
    last = rounds.tree_.score(node);
  EXPECT_NEAR(last, std::pow(0.9, 8), 0.02);
}

TEST(TranslatedDrafter, LearnsHowOftenTheLastTokenOfAPathHolds) {
  Rounds rounds("qwen2", "smollm");
  rounds.knowing_->num_guesses = 1;
  ASSERT_TRUE(rounds.Draft().ok());
  ASSERT_GT(rounds.tree_.size(), 1);
  const float at_first = rounds.tree_.score(rounds.tree_.size() - 1);
  for (int i = 0; i < 200; ++i) {
    // The target writes something else.
    rounds.tree_.Reset(rounds.text_.back());
    ASSERT_TRUE(rounds.Draft().ok());
    rounds.walk_.path = {0};
    rounds.walk_.tokens = {0};
    rounds.walk_.nodes = {0};
    rounds.drafter_->Accept(rounds.text_, rounds.tree_, rounds.walk_, {});
    rounds.drafter_->Rollback(rounds.text_.size());
  }
  ASSERT_TRUE(rounds.Draft().ok());
  EXPECT_LT(rounds.tree_.score(rounds.tree_.size() - 1), at_first / 3);
}

TEST(TranslatedDrafter, OffersOnlyWhatIsWorthARow) {
  Rounds rounds("qwen2", "smollm");
  const std::vector<double> pass_seconds = {1.0, 1.0, 1.0, 1.0, 9.0, 17.0};
  rounds.tree_.Reset(rounds.text_.back());
  DraftRequest request;
  request.text = rounds.text_;
  request.budget = {.max_nodes = 5,
                    .max_depth = 32,
                    .tokens_per_second = 1.0,
                    .pass_seconds = pass_seconds};
  ASSERT_TRUE(rounds.drafter_->Draft(request, &rounds.tree_).ok());

  EXPECT_EQ(rounds.tree_.size(), 3);
}

}  // namespace
}  // namespace specinfer
