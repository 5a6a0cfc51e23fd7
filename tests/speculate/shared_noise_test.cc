// Matching with noise that target and drafter share: the text is a function of
// (target, seed, stream), whatever drafts, and has the target's law.
#include <array>
#include <limits>
#include <memory>

#include "gtest/gtest.h"

#include "src/backend/noise.h"
#include "src/speculate/verifier.h"
#include "tests/speculate/toy_language_model.h"

namespace specinfer {
namespace {

constexpr int kNumTexts = 100000;

// Tokens by ln law + noise, the greatest first. `key` is that of their
// position.
Children ByNoise(const Law& law, const NoiseKey& key) {
  std::vector<std::pair<float, Token>> sorted;
  for (size_t token = 0; token < law.size(); ++token) {
    if (law[token] > 0.0f) {
      const Token id = static_cast<Token>(token);
      sorted.push_back({-(Log(law[token]) + GumbelNoise(key, id)), id});
    }
  }
  std::sort(sorted.begin(), sorted.end());
  Children tokens;
  for (const auto& [value, token] : sorted) tokens.push_back(token);
  return tokens;
}

// Knows the target, its noise and the text; adds whatever it likes.
class Proposer {
 public:
  virtual ~Proposer() = default;
  virtual void Draft(const Text& text, const NoiseKey& key,
                     TokenTree* tree) = 0;
};

NoiseKey KeyAt(NoiseKey key, const TokenTree& tree, int32_t node) {
  key.position += tree.depth(node);
  return key;
}

// The likeliest children by the draft's law and the shared noise.
class SharedNoiseProposer : public Proposer {
 public:
  SharedNoiseProposer(const ToyLanguageModel& draft, std::vector<size_t> shape)
      : draft_(draft), shape_(std::move(shape)) {}
  void Draft(const Text& text, const NoiseKey& key, TokenTree* tree) override {
    for (int32_t node = 0; node < tree->size(); ++node) {
      const size_t depth = static_cast<size_t>(tree->depth(node));
      if (depth == shape_.size()) break;
      const Children children =
          ByNoise(draft_.law(text, *tree, node), KeyAt(key, *tree, node));
      for (size_t i = 0; i < std::min(shape_[depth], children.size()); ++i)
        tree->AddNode(node, children[i]);
    }
  }

 private:
  const ToyLanguageModel& draft_;
  const std::vector<size_t> shape_;
};

// Always the same tokens.
class FixedProposer : public Proposer {
 public:
  explicit FixedProposer(Children tokens) : tokens_(std::move(tokens)) {}
  void Draft(const Text&, const NoiseKey&, TokenTree* tree) override {
    for (int32_t node = 0; tree->depth(node) < 2; ++node)
      for (const Token token : tokens_) tree->AddNode(node, token);
  }

 private:
  const Children tokens_;
};

// Looks at the target's law and noise, and proposes by what it sees: only even
// tokens, never the right one, or the right one among others in any order.
class SpyingProposer : public Proposer {
 public:
  enum class Aim { kOnlyEven, kNeverRight, kAlwaysRight };
  SpyingProposer(const ToyLanguageModel& target, Aim aim)
      : target_(target), aim_(aim) {}
  void Draft(const Text& text, const NoiseKey& key, TokenTree* tree) override {
    for (int32_t node = 0; node < tree->size() && tree->depth(node) < 3;
         ++node) {
      const Children children =
          ByNoise(target_.law(text, *tree, node), KeyAt(key, *tree, node));
      const Token right = children[0];
      if (aim_ == Aim::kNeverRight) {
        if (children.size() > 1) tree->AddNode(node, children[1]);
      } else if (aim_ == Aim::kAlwaysRight) {
        tree->AddNode(node, children.back());
        tree->AddNode(node, right);
      } else if (right % 2 == 0) {
        tree->AddNode(node, right);
      }
    }
  }

 private:
  const ToyLanguageModel& target_;
  const Aim aim_;
};

struct Decoded {
  Text text;
  size_t num_rounds = 0;
  size_t num_visits = 0;    // of nodes with children
  size_t num_accepted = 0;  // of those, where a child was right
};

Decoded Decode(const ToyLanguageModel& target, Proposer* proposer,
               uint64_t stream, size_t num_tokens) {
  Decoded decoded = {.text = kPrompt};
  Text& text = decoded.text;
  TokenTree tree(300);
  Walk walk;
  while (text.size() < kPrompt.size() + num_tokens) {
    const NoiseKey key = {.seed = 21,
                          .stream = stream,
                          .position = static_cast<int64_t>(text.size())};
    tree.Reset(text.back());
    if (proposer != nullptr) proposer->Draft(text, key, &tree);
    const absl::Status status = MatchVerify(
        tree,
        [&](int32_t node) -> absl::StatusOr<Token> {
          return ByNoise(target.law(text, tree, node),
                         KeyAt(key, tree, node))[0];
        },
        &walk);
    EXPECT_TRUE(status.ok());
    for (const int32_t node : walk.path)
      if (tree.first_child(node) >= 0) ++decoded.num_visits;
    decoded.num_accepted += walk.path.size() - 1;
    text.insert(text.end(), walk.tokens.begin(), walk.tokens.end());
    ++decoded.num_rounds;
  }
  text.resize(kPrompt.size() + num_tokens);
  return decoded;
}

const ToyLanguageModel& Target() {
  static const ToyLanguageModel model(6, 1);
  return model;
}

const ToyLanguageModel& WeakDraft() {
  static const ToyLanguageModel model(6, 2);
  return model;
}

struct ProposerCase {
  const char* name;
  std::shared_ptr<Proposer> proposer;  // null: plain decoding
};

class SharedNoise : public testing::TestWithParam<ProposerCase> {};

TEST_P(SharedNoise, GivesTheStreamOfPlainDecoding) {
  for (uint64_t stream = 0; stream < 20; ++stream) {
    EXPECT_EQ(Decode(Target(), GetParam().proposer.get(), stream, 400).text,
              Decode(Target(), nullptr, stream, 400).text);
  }
}

TEST_P(SharedNoise, GivesTextsOfTheTargetsLaw) {
  ExpectTheModelsLaw(Target(), kNumTexts, [&](uint64_t stream) {
    return Decode(Target(), GetParam().proposer.get(), stream, 3).text;
  });
}

INSTANTIATE_TEST_SUITE_P(
    All, SharedNoise,
    testing::Values(
        ProposerCase{"Plain", nullptr},
        ProposerCase{"OfAChain",
                     std::make_shared<SharedNoiseProposer>(
                         WeakDraft(), std::vector<size_t>{1, 1, 1})},
        ProposerCase{"OfATree", std::make_shared<SharedNoiseProposer>(
                                    WeakDraft(), std::vector<size_t>{3, 2})},
        ProposerCase{"OfFixedTokens",
                     std::make_shared<FixedProposer>(Children{4, 1})},
        ProposerCase{
            "OfASpyForEvenTokens",
            std::make_shared<SpyingProposer>(Target(),
                                             SpyingProposer::Aim::kOnlyEven)},
        ProposerCase{
            "OfASpyForWrongTokens",
            std::make_shared<SpyingProposer>(Target(),
                                             SpyingProposer::Aim::kNeverRight)},
        ProposerCase{"OfASpyForRightTokens",
                     std::make_shared<SpyingProposer>(
                         Target(), SpyingProposer::Aim::kAlwaysRight)}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(SharedNoiseMatching, AcceptsEverythingOfADraftThatIsTheTarget) {
  SharedNoiseProposer proposer(Target(), {1, 1, 1});

  const Decoded decoded = Decode(Target(), &proposer, 0, 4000);

  EXPECT_GT(decoded.num_visits, 0u);
  EXPECT_EQ(decoded.num_accepted, decoded.num_visits);
  EXPECT_EQ(decoded.num_rounds, 1000u);
}

// At least (1 - TV) / (1 + TV) at each context (Daliri, Musco and Suresh), so
// at least at the greatest TV of all.
TEST(SharedNoiseMatching, AcceptsAtLeastItsBoundOfAChain) {
  double greatest = 0.0;
  for (Token a = 0; a < 6; ++a) {
    for (Token b = 0; b < 6; ++b) {
      greatest = std::max(greatest,
                          TotalVariation(Normalised(Target().law({a, b})),
                                         Normalised(WeakDraft().law({a, b}))));
    }
  }
  SharedNoiseProposer proposer(WeakDraft(), {1, 1, 1});

  const Decoded decoded = Decode(Target(), &proposer, 0, 20000);

  const double acceptance = static_cast<double>(decoded.num_accepted) /
                            static_cast<double>(decoded.num_visits);
  EXPECT_GT(acceptance, (1 - greatest) / (1 + greatest));
}

// The mistake that only several rounds together show: noise counted from the
// round's own beginning.
TEST(SharedNoiseMatching, WithNoiseOfTheRoundBeforeIsFoundOut) {
  const TextDeviation deviation =
      MeasureTexts(Target(), kNumTexts, [&](uint64_t stream) {
        Text text = kPrompt;
        for (int i = 0; i < 3; ++i) {
          text.push_back(
              ByNoise(Target().law(text), {.seed = 21, .stream = stream})[0]);
        }
        return text;
      });

  EXPECT_LT(deviation.first, kFiveSigma);
  EXPECT_GT(deviation.joint, 10 * kFiveSigma);
}

}  // namespace
}  // namespace specinfer
