// Random rounds, truncations, forks and passes that are given up: at any moment
// a cache answers, bit for bit, as one freshly filled with the committed text.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <iostream>
#include <random>
#include <vector>

#include "gtest/gtest.h"

#include "src/forward/decoder.h"
#include "src/session/model.h"
#include "src/speculate/token_tree.h"
#include "tests/session/tiny_models.h"

namespace specinfer {
namespace {

constexpr int32_t kMaxNodes = 64;
constexpr int kNumLanes = 3;

struct FuzzCase {
  const char* name;
  const char* model;
  CacheType cache_type;
  int num_rounds;         // of all lanes together
  int32_t max_positions;  // beyond the window's slack, where there is a window
  int checked_rounds;     // one round in so many is followed by a check
};

class Fuzz {
 public:
  Fuzz(const FuzzCase& fuzz_case, const Model& model)
      : case_(fuzz_case),
        model_(model),
        layout_(model.cache_layout(fuzz_case.cache_type)),
        width_(model.architecture().vocabulary_size),
        decoder_(*Decoder::Create(*model.engine().backend, model.architecture(),
                                  layout_, model.weights(),
                                  kNumLanes * kMaxNodes,
                                  /*max_answer_rows=*/kMaxNodes)) {
    for (Lane& lane : lanes_) lane.sequence = NewSequence();
  }

  void Run() {
    while (num_rounds_ < case_.num_rounds && !testing::Test::HasFailure()) {
      const int dice = Below(100);
      if (dice < 70) {
        Round(/*is_kept=*/true);
      } else if (dice < 76) {
        Round(/*is_kept=*/false);
      } else if (dice < 82) {
        GiveUpAPass();
      } else if (dice < 90) {
        Truncate(AnyLane());
      } else {
        Fork();
      }
      if (Below(case_.checked_rounds) == 0) Check(AnyLane());
    }
    for (Lane& lane : lanes_) Check(lane);
    std::cout << num_rounds_ << " rounds, " << num_accepted_ << " tokens, "
              << num_checks_ << " checks, " << num_truncations_
              << " truncations of which " << num_lost_ << " lost the text, "
              << num_forks_ << " forks, " << num_given_up_ << " given up\n";
  }

  int num_rounds() const { return num_rounds_; }
  int num_checks() const { return num_checks_; }
  int num_lost() const { return num_lost_; }

 private:
  struct Lane {
    std::unique_ptr<Sequence> sequence;
    std::vector<Token> text;  // committed
    TokenTree tree{kMaxNodes};
  };

  int Below(int end) {
    return std::uniform_int_distribution<int>(0, end - 1)(random_);
  }
  Lane& AnyLane() { return lanes_[Below(kNumLanes)]; }
  Token AnyToken() { return static_cast<Token>(Below(width_)); }

  std::unique_ptr<Sequence> NewSequence() {
    return *Sequence::Create(*model_.engine().backend, layout_,
                             case_.max_positions, kMaxNodes);
  }

  // Chains, bushes, stars and what lies between; now and then one node.
  void GrowTree(int32_t max_nodes, TokenTree* tree) {
    tree->Reset(AnyToken());
    const int32_t num_nodes = 1 + Below(max_nodes);
    const int32_t reach = 1 + Below(max_nodes);  // how far back parents lie
    while (tree->size() < num_nodes) {
      const int32_t back = Below(std::min(reach, tree->size()));
      tree->AddNode(tree->size() - 1 - back, AnyToken());
    }
  }

  static SequenceNodes NodesOf(Sequence& sequence, TokenTree* tree) {
    return {.sequence = &sequence,
            .tokens = tree->tokens(),
            .depths = tree->depths(),
            .path_bits = tree->PathBits()};
  }

  // Draws trees for some lanes. All have room for a whole tree afterwards.
  std::vector<SequenceNodes> Draft() {
    std::vector<SequenceNodes> batch;
    const int32_t first = Below(kNumLanes), count = 1 + Below(kNumLanes);
    drafted_.clear();
    for (int32_t i = 0; i < count; ++i) {
      Lane& lane = lanes_[(first + i) % kNumLanes];
      while (static_cast<int32_t>(lane.text.size()) + kMaxNodes >
             case_.max_positions)
        Truncate(lane);
      GrowTree(Below(4) == 0 ? kMaxNodes : 16, &lane.tree);
      EXPECT_TRUE(lane.sequence->Prepare(lane.tree.size()).ok());
      batch.push_back(NodesOf(*lane.sequence, &lane.tree));
      drafted_.push_back(&lane);
    }
    return batch;
  }

  void Round(bool is_kept) {
    const std::vector<SequenceNodes> batch = Draft();
    ASSERT_TRUE(decoder_->Forward(batch, {}, {}).ok());
    num_rounds_ += static_cast<int>(batch.size());
    for (Lane* lane : drafted_) {
      if (is_kept) Accept(*lane);
    }
  }

  // Any path from the root down.
  void Accept(Lane& lane) {
    std::vector<int32_t> path;
    for (int32_t node = Below(lane.tree.size()); node >= 0;
         node = lane.tree.parent(node))
      path.insert(path.begin(), node);
    ASSERT_TRUE(lane.sequence->Commit(path, decoder_->stream()).ok());
    for (const int32_t node : path) lane.text.push_back(lane.tree.token(node));
    num_accepted_ += static_cast<int>(path.size());
  }

  // Stops somewhere inside a pass, by deadline or by cancelling.
  void GiveUpAPass() {
    const std::vector<SequenceNodes> batch = Draft();
    const std::atomic<bool> is_cancelled = true;
    if (Below(2) == 0) {
      EXPECT_TRUE(absl::IsCancelled(
          decoder_->Forward(batch, {}, {.is_cancelled = &is_cancelled})));
    } else {
      absl::Status status = absl::DeadlineExceededError("");
      for (int left = Below(60); left > 0 && !status.ok(); --left)
        status = decoder_->Forward(batch, {}, {.deadline_us = 0});
      EXPECT_TRUE(status.ok() || absl::IsDeadlineExceeded(status)) << status;
    }
    decoder_->Abandon();
    ++num_given_up_;
  }

  void Truncate(Lane& lane) {
    const int32_t size = static_cast<int32_t>(lane.text.size());
    // A few tokens, as a stop string does; or anywhere.
    const int32_t wanted =
        Below(4) > 0 ? std::max(0, size - Below(20)) : Below(size + 1);
    const int32_t left = lane.sequence->Truncate(wanted);
    ASSERT_TRUE(left == wanted || left == 0) << wanted << " became " << left;
    lane.text.resize(static_cast<size_t>(left));
    ++num_truncations_;
    if (left != wanted) ++num_lost_;
  }

  // One lane gives way to a fork of another.
  void Fork() {
    const int32_t from = Below(kNumLanes);
    const int32_t to = (from + 1 + Below(kNumLanes - 1)) % kNumLanes;
    lanes_[to].sequence = *lanes_[from].sequence->Fork();
    lanes_[to].text = lanes_[from].text;
    ++num_forks_;
  }

  // All rows of `tree` after what `sequence` holds.
  std::vector<float> Ask(Sequence& sequence, TokenTree* tree) {
    const size_t width = static_cast<size_t>(width_);
    std::vector<float> logits(static_cast<size_t>(tree->size()) * width);
    std::vector<int32_t> rows;
    std::vector<HeadQuery> queries;
    for (int32_t node = 0; node < tree->size(); ++node) {
      rows.push_back(node);
      queries.push_back({.row = node,
                         .full = absl::MakeSpan(logits).subspan(
                             static_cast<size_t>(node) * width, width)});
    }
    EXPECT_TRUE(sequence.Prepare(tree->size()).ok());
    const SequenceNodes nodes = NodesOf(sequence, tree);
    EXPECT_TRUE(
        decoder_->Forward({&nodes, 1}, {.rows = rows, .queries = queries}, {})
            .ok());
    return logits;
  }

  void Check(Lane& lane) {
    ASSERT_EQ(lane.sequence->num_committed(),
              static_cast<int32_t>(lane.text.size()));
    const auto fresh = NewSequence();
    const absl::Span<const Token> text = lane.text;
    for (size_t first = 0; first < text.size(); first += kMaxNodes) {
      const SequenceNodes chunk = {.sequence = fresh.get(),
                                   .tokens = text.subspan(first, kMaxNodes)};
      const int32_t size = static_cast<int32_t>(chunk.tokens.size());
      ASSERT_TRUE(fresh->Prepare(size).ok());
      ASSERT_TRUE(decoder_->Forward({&chunk, 1}, {}, {}).ok());
      fresh->CommitChain(size);
    }
    TokenTree question(4);
    GrowTree(4, &question);
    const std::vector<float> expected = Ask(*fresh, &question);
    const std::vector<float> actual = Ask(*lane.sequence, &question);
    ASSERT_EQ(std::memcmp(actual.data(), expected.data(),
                          expected.size() * sizeof(float)),
              0)
        << "after round " << num_rounds_ << ", at a text of " << text.size()
        << " tokens";
    ++num_checks_;
  }

  const FuzzCase& case_;
  const Model& model_;
  const CacheLayout& layout_;
  const int32_t width_;
  std::unique_ptr<Decoder> decoder_;
  std::mt19937 random_{2026};
  Lane lanes_[kNumLanes];
  std::vector<Lane*> drafted_;
  int num_rounds_ = 0, num_accepted_ = 0, num_checks_ = 0, num_lost_ = 0;
  int num_truncations_ = 0, num_forks_ = 0, num_given_up_ = 0;
};

class TreeCommitFuzz : public testing::TestWithParam<FuzzCase> {};

TEST_P(TreeCommitFuzz, AnswersAsAFreshCacheOfTheSameText) {
  const auto model = LoadTiny(GetParam().model, MakeEngine());
  ASSERT_NE(model, nullptr);
  Fuzz fuzz(GetParam(), *model);

  fuzz.Run();

  EXPECT_GE(fuzz.num_rounds(), GetParam().num_rounds);
  EXPECT_GT(fuzz.num_checks(), 100);
  // Where there is a window, pages were let go.
  EXPECT_EQ(fuzz.num_lost() > 0, GetParam().name == std::string("Gemma3"));
}

INSTANTIATE_TEST_SUITE_P(
    Models, TreeCommitFuzz,
    testing::Values(
        FuzzCase{"Llama", "tiny-llama", CacheType::kF16, 3500, 320, 4},
        FuzzCase{"LlamaQ8", "tiny-llama", CacheType::kQ8, 2000, 256, 4},
        FuzzCase{"Qwen3", "tiny-qwen3", CacheType::kF16, 1500, 256, 4},
        FuzzCase{"Gemma3", "tiny-gemma3", CacheType::kF16, 3000, 640, 4}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace specinfer
