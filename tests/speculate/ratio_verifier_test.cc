// The ratio test as a whole: its walk, its extremes, and the law of its texts.
#include "src/speculate/ratio_verifier.h"

#include <iostream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/speculate/toy_language_model.h"

namespace specinfer {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

constexpr int kNumTexts = 100000;

// Children per node, level by level.
using Shape = std::vector<int32_t>;

// Rounds over toy models.
class Rounds {
 public:
  Rounds(const ToyLanguageModel& target, const ToyLanguageModel& draft,
         Shape shape)
      : target_(target), draft_(draft), shape_(std::move(shape)) {
    const int32_t width = static_cast<int32_t>(target.vocabulary());
    tree_ = *SampledTree::Create({.max_nodes = 200,
                                  .max_expanded = 64,
                                  .max_children = 8,
                                  .vocabulary_size = width},
                                 memory_);
    residual_ =
        std::make_unique<ResidualLaw>(*ResidualLaw::Create(width, memory_));
  }

  // Drafts after `text` level by level and verifies.
  const Walk& Round(const Text& text, const NoiseKey& key) {
    tree_->Reset(text.back(), key);
    for (int32_t node = 0; node < tree().size(); ++node) {
      const size_t depth = static_cast<size_t>(tree().depth(node));
      if (depth == shape_.size()) break;
      EXPECT_TRUE(
          tree_->Expand(node, draft_.law(text, tree(), node), shape_[depth])
              .ok());
    }
    visited_.clear();
    const absl::Status status = WithoutReplacementVerify(
        *tree_,
        [&](int32_t node) -> absl::StatusOr<absl::Span<const float>> {
          visited_.push_back(node);
          return target_.law(text, tree(), node);
        },
        residual_.get(), &walk_);
    EXPECT_TRUE(status.ok()) << status;
    return walk_;
  }

  // Texts of at least `num_tokens` after the prompt. Counted from the prompt,
  // each round's key is that of its first token; `reuses_noise` is the mistake
  // of counting from the round's own beginning.
  Text Decode(uint64_t stream, size_t num_tokens, bool reuses_noise = false) {
    Text text = kPrompt;
    while (text.size() < kPrompt.size() + num_tokens) {
      const int64_t position =
          reuses_noise ? 0 : static_cast<int64_t>(text.size());
      const Walk& walk =
          Round(text, {.seed = 77, .stream = stream, .position = position});
      text.insert(text.end(), walk.tokens.begin(), walk.tokens.end());
      ++num_rounds_;
    }
    num_tokens_ += text.size() - kPrompt.size();
    return text;
  }

  const TokenTree& tree() const { return tree_->tree(); }
  const SampledTree& sampled() const { return *tree_; }
  ResidualLaw* residual() { return residual_.get(); }
  const std::vector<int32_t>& visited() const { return visited_; }
  double tokens_per_round() const {
    return static_cast<double>(num_tokens_) / static_cast<double>(num_rounds_);
  }

 private:
  const ToyLanguageModel& target_;
  const ToyLanguageModel& draft_;
  const Shape shape_;
  Memory memory_{/*budget_bytes=*/0};
  std::unique_ptr<SampledTree> tree_;
  std::unique_ptr<ResidualLaw> residual_;
  Walk walk_;
  std::vector<int32_t> visited_;
  size_t num_rounds_ = 0;
  size_t num_tokens_ = 0;
};

NoiseKey Key(int64_t trial) { return {.seed = 3, .position = trial}; }

TEST(RatioVerify, RefusesATreeThatIsNoChain) {
  const ToyLanguageModel model(5, 1);
  Rounds rounds(model, model, {2});
  rounds.Round(kPrompt, {});
  Walk walk;

  const auto law = [&](int32_t) -> absl::StatusOr<absl::Span<const float>> {
    return model.law(kPrompt);
  };

  EXPECT_TRUE(absl::IsInvalidArgument(
      RatioVerify(rounds.sampled(), law, rounds.residual(), &walk)));
}

TEST(RatioVerify, WalksAChainAsItsTree) {
  const ToyLanguageModel target(5, 1), draft(5, 2);
  Rounds rounds(target, draft, {1, 1, 1, 1});
  for (int trial = 0; trial < 200; ++trial) {
    const Walk expected = rounds.Round(kPrompt, Key(trial));
    Walk walk;
    ASSERT_TRUE(
        RatioVerify(
            rounds.sampled(),
            [&](int32_t node) -> absl::StatusOr<absl::Span<const float>> {
              return target.law(kPrompt, rounds.tree(), node);
            },
            rounds.residual(), &walk)
            .ok());
    EXPECT_EQ(walk.tokens, expected.tokens);  // and verifying twice is legal
    EXPECT_EQ(walk.path, expected.path);
  }
}

TEST(WithoutReplacementVerify, OfOneNodeDrawsFromTheTarget) {
  const ToyLanguageModel target(5, 1);
  Rounds rounds(target, target, {});

  const Walk& walk = rounds.Round(kPrompt, Key(0));

  EXPECT_THAT(walk.path, ElementsAre(0));
  EXPECT_EQ(walk.tokens.size(), 1u);
}

TEST(WithoutReplacementVerify, GivesAWalkOfTheTree) {
  const ToyLanguageModel target(6, 1), draft(6, 2);
  Rounds rounds(target, draft, {3, 2, 2});
  for (int trial = 0; trial < 500; ++trial) {
    const Walk& walk = rounds.Round(kPrompt, Key(trial));

    ASSERT_EQ(walk.tokens.size(), walk.path.size());
    EXPECT_EQ(walk.nodes, walk.path);
    EXPECT_EQ(rounds.visited(), walk.path);
    for (size_t i = 1; i < walk.path.size(); ++i) {
      EXPECT_EQ(rounds.tree().parent(walk.path[i]), walk.path[i - 1]);
      EXPECT_EQ(rounds.tree().token(walk.path[i]), walk.tokens[i - 1]);
    }
    // What was refused is not drawn again.
    const int32_t end = walk.path.back();
    if (!rounds.sampled().law(end).empty()) {
      EXPECT_EQ(rounds.tree().FindChild(end, walk.tokens.back()), -1);
    }
  }
}

TEST(WithoutReplacementVerify, HandsOnAnErrorAndRefusesWhatIsNoLaw) {
  const ToyLanguageModel model(5, 1);
  Rounds rounds(model, model, {2});
  rounds.Round(kPrompt, {});
  Walk walk;

  EXPECT_TRUE(absl::IsCancelled(WithoutReplacementVerify(
      rounds.sampled(),
      [](int32_t) -> absl::StatusOr<absl::Span<const float>> {
        return absl::CancelledError("stop");
      },
      rounds.residual(), &walk)));
  const Law nothing(5, 0.0f);
  EXPECT_TRUE(absl::IsInvalidArgument(WithoutReplacementVerify(
      rounds.sampled(),
      [&](int32_t) -> absl::StatusOr<absl::Span<const float>> {
        return nothing;
      },
      rounds.residual(), &walk)));
}

TEST(WithoutReplacementVerify, ReachesALeafWhenTheDraftIsTheTarget) {
  const ToyLanguageModel target(8, 1, 3);
  for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{3, 2, 1}}) {
    Rounds rounds(target, target, shape);
    for (int trial = 0; trial < 5000; ++trial)
      ASSERT_EQ(rounds.Round(kPrompt, Key(trial)).tokens.size(),
                shape.size() + 1);
  }
}

TEST(WithoutReplacementVerify, ReachesALeafWhenTheChildrenAreAllTokens) {
  const ToyLanguageModel target(5, 1), draft(5, 2);
  Rounds rounds(target, draft, {5, 5});
  for (int trial = 0; trial < 5000; ++trial)
    ASSERT_EQ(rounds.Round(kPrompt, Key(trial)).tokens.size(), 3u);
}

TEST(WithoutReplacementVerify, AcceptsNothingOfADraftThatIsAlwaysWrong) {
  ToyLanguageModel target(6, 1), draft(6, 2);
  for (Token a = 0; a < 6; ++a) {
    for (Token b = 0; b < 6; ++b) {
      for (size_t token = 0; token < 6; ++token)
        (token < 3 ? target : draft).law(a, b)[token] = 0.0f;
    }
  }
  Rounds rounds(target, draft, {3, 2});
  for (int trial = 0; trial < 5000; ++trial) {
    const Walk& walk = rounds.Round(kPrompt, Key(trial));
    ASSERT_EQ(walk.tokens.size(), 1u);
    ASSERT_GE(walk.tokens[0], 3);
  }
}

TEST(WithoutReplacementVerify, FollowsATargetOfOneToken) {
  ToyLanguageModel target(5, 1), draft(5, 2);
  for (Token a = 0; a < 5; ++a)
    for (Token b = 0; b < 5; ++b) target.law(a, b) = {0, 0, 0, 1, 0};
  Rounds rounds(target, draft, {2, 2});
  for (int trial = 0; trial < 2000; ++trial) {
    for (const Token token : rounds.Round(kPrompt, Key(trial)).tokens)
      ASSERT_EQ(token, 3);
  }
}

struct TextCase {
  const char* name;
  size_t vocabulary;
  Shape shape;
  uint32_t target_zeros = 0;  // one token in so many has no mass
  uint32_t draft_zeros = 0;
};

class RatioTexts : public testing::TestWithParam<TextCase> {};

TEST_P(RatioTexts, HaveTheTargetsLaw) {
  const TextCase& tested = GetParam();
  const ToyLanguageModel target(tested.vocabulary, 1, tested.target_zeros);
  const ToyLanguageModel draft(tested.vocabulary, 2, tested.draft_zeros);
  Rounds rounds(target, draft, tested.shape);

  ExpectTheModelsLaw(target, kNumTexts, [&](uint64_t stream) {
    return rounds.Decode(stream, /*num_tokens=*/3);
  });
  std::cout << rounds.tokens_per_round() << " tokens a round\n";
}

INSTANTIATE_TEST_SUITE_P(
    All, RatioTexts,
    testing::Values(TextCase{"OfAChain", 8, {1, 1, 1}},
                    TextCase{"OfATree", 6, {3, 2}},
                    TextCase{"OfAWideTree", 5, {4, 1}},
                    TextCase{"OfATreeOfAllTokens", 5, {5, 5}},
                    TextCase{"OfADraftWithHoles", 7, {3, 2}, 0, 2},
                    TextCase{"OfATargetWithHoles", 7, {2, 2}, 3, 0},
                    TextCase{"OfBothWithHoles", 8, {1, 1}, 2, 2}),
    [](const auto& tested) { return std::string(tested.param.name); });

// The draft knows everything of a token but the target's favourite.
TEST(RatioTexts, HaveTheTargetsLawThoughTheDraftLacksItsFavourites) {
  const ToyLanguageModel target(6, 1);
  ToyLanguageModel draft = target;
  for (Token a = 0; a < 6; ++a) {
    for (Token b = 0; b < 6; ++b) {
      Law& law = draft.law(a, b);
      *std::max_element(law.begin(), law.end()) = 0.0f;
    }
  }
  Rounds rounds(target, draft, {2, 2});

  ExpectTheModelsLaw(target, kNumTexts, [&](uint64_t stream) {
    return rounds.Decode(stream, /*num_tokens=*/3);
  });
}

// A draft that is certain proposes what it likes: a law of one token.
TEST(RatioTexts, HaveTheTargetsLawThoughTheDraftIsCertain) {
  const ToyLanguageModel target(6, 1);
  ToyLanguageModel draft(6, 2);
  for (Token a = 0; a < 6; ++a) {
    for (Token b = 0; b < 6; ++b) {
      draft.law(a, b).assign(6, 0.0f);
      draft.law(a, b)[static_cast<size_t>((a + b) % 6)] = 1.0f;
    }
  }
  Rounds rounds(target, draft, {2, 2});

  ExpectTheModelsLaw(target, kNumTexts, [&](uint64_t stream) {
    return rounds.Decode(stream, /*num_tokens=*/3);
  });
}

// One long text instead of many: noise belongs to positions.
TEST(RatioTexts, HaveTheTargetsLawWithinOneText) {
  const ToyLanguageModel target(5, 1), draft(5, 2);
  Rounds rounds(target, draft, {2, 2});

  const Text text = rounds.Decode(/*stream=*/0, 300000);

  for (Token a = 0; a < 5; ++a) {
    for (Token b = 0; b < 5; ++b) {
      std::vector<int64_t> counts(5);
      for (size_t i = 2; i < text.size(); ++i) {
        if (text[i - 2] == a && text[i - 1] == b)
          ++counts[static_cast<size_t>(text[i])];
      }
      EXPECT_LT(Deviation(counts, Normalised(target.law({a, b}))), kFiveSigma);
    }
  }
}

// Each round is right by itself; only the tokens of several rounds together
// tell.
TEST(RatioTexts, WithNoiseOfTheRoundBeforeAreFoundOut) {
  const ToyLanguageModel target(6, 1), draft(6, 2);
  Rounds rounds(target, draft, {2, 2});

  const TextDeviation deviation =
      MeasureTexts(target, kNumTexts, [&](uint64_t stream) {
        return rounds.Decode(stream, 3, /*reuses_noise=*/true);
      });

  EXPECT_LT(deviation.first, kFiveSigma);
  EXPECT_GT(deviation.joint, 10 * kFiveSigma);
}

}  // namespace
}  // namespace specinfer
