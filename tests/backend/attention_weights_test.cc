#include <atomic>
#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/backend/machine.h"
#include "tests/backend/test_cache.h"

namespace specinfer::testing {
namespace {

constexpr int kHeads = 6, kKvHeads = 2, kHeadDim = 40;
constexpr float kScale = 0.7f;
constexpr int kRows = 5;

// Two sequences of 3 and 2 rows over `num_committed` and 10 slots more.
class AttentionWeights : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    machine_ = std::make_unique<Machine>(GetParam(), 2);
    if (!machine_->is_available())
      GTEST_SKIP() << "this machine lacks " << GetParam();
    queries_ = RandomFloats(kRows * kHeads * kHeadDim, 5, 1.0f);
  }

  void Fill(int num_committed, CacheType type) {
    type_ = type;
    caches_.clear();
    caches_.reserve(2);
    sequences_.clear();
    int first_row = 0;
    for (const int num_slots : {num_committed, num_committed + 10}) {
      caches_.emplace_back(*machine_, num_slots, kKvHeads, kHeadDim, 2, type);
      for (int slot = 0; slot < num_slots; ++slot) {
        const uint64_t seed = static_cast<uint64_t>(slot + num_slots * 1000);
        caches_.back().WriteToken(slot, seed, 2.0f, /*layer=*/0);
      }
      const int num_rows = first_row == 0 ? 3 : 2;
      sequences_.push_back({.pages = caches_.back().pages(),
                            .num_committed = num_slots,
                            .num_nodes = num_rows,
                            .first_row = first_row});
      first_row += num_rows;
    }
  }

  AttentionWeightsArgs Args(int head, int num_positions,
                            std::vector<float>* out) {
    out->assign(static_cast<size_t>(kRows * num_positions), -1.0f);
    return {.query = machine_->MakeTensor(kRows, kHeads * kHeadDim, queries_),
            .sequences = sequences_,
            .cache_type = type_,
            .heads = kHeads,
            .kv_heads = kKvHeads,
            .head_dim = kHeadDim,
            .head = head,
            .scale = kScale,
            .num_positions = num_positions,
            .out = absl::MakeSpan(*out)};
  }

  // [rows, num_positions]
  std::vector<float> Weigh(int head, int num_positions) {
    std::vector<float> out;
    const AttentionWeightsArgs args = Args(head, num_positions, &out);
    const absl::Status status = machine_->Run(
        [&](Stream& stream) { return stream.AttentionWeights(args); });
    EXPECT_TRUE(status.ok()) << status;
    return out;
  }

  // The definition: softmax over all that is committed.
  std::vector<double> WeighExactly(int row, int head) {
    const size_t s = row < 3 ? 0 : 1;
    std::vector<double> weights;
    double sum = 0.0;
    for (int slot = 0; slot < sequences_[s].num_committed; ++slot) {
      double dot = 0.0;
      for (int d = 0; d < kHeadDim; ++d) {
        const size_t i =
            static_cast<size_t>((row * kHeads + head) * kHeadDim + d);
        dot += double{queries_[i]} *
               caches_[s].ReadKey(slot, head / (kHeads / kKvHeads), d);
      }
      weights.push_back(std::exp(dot * kScale));
      sum += weights.back();
    }
    for (double& weight : weights) weight /= sum;
    return weights;
  }

  std::unique_ptr<Machine> machine_;
  std::vector<float> queries_;
  std::vector<TestCache> caches_;
  std::vector<AttentionSequence> sequences_;
  CacheType type_ = CacheType::kF16;
};

TEST_P(AttentionWeights, AreTheSoftmaxOverAllThatIsCommitted) {
  for (const CacheType type : {CacheType::kF16, CacheType::kQ8}) {
    // Scores lie within ±56, so that a rounding of one is some 4e-6. A q8 cache
    // rounds queries to steps of 1/254, so that a score, a sum of 40
    // products below 2, moves by hundredths.
    const double tolerance = type == CacheType::kF16 ? 2e-5 : 0.2;
    for (const int num_committed : {1, 63, 64, 65, 200}) {
      Fill(num_committed, type);
      for (const int head : {0, 2, 3, 5}) {
        const std::vector<float> weights = Weigh(head, num_committed);
        for (int row = 0; row < kRows; ++row) {
          const std::vector<double> exact = WeighExactly(row, head);
          for (int p = 0; p < num_committed; ++p) {
            const double expected = exact[static_cast<size_t>(p)];
            ASSERT_NEAR(weights[static_cast<size_t>(row * num_committed + p)],
                        expected, tolerance * expected)
                << "row " << row << " head " << head << " position " << p;
          }
        }
      }
    }
  }
}

TEST_P(AttentionWeights, OfTheFirstPositionsAreThoseOfAll) {
  for (const CacheType type : {CacheType::kF16, CacheType::kQ8}) {
    Fill(150, type);
    const std::vector<float> all = Weigh(4, 150);
    for (const int num_positions : {1, 64, 70, 149}) {
      const std::vector<float> first = Weigh(4, num_positions);
      for (int row = 0; row < kRows; ++row)
        for (int p = 0; p < num_positions; ++p)
          ASSERT_EQ(first[static_cast<size_t>(row * num_positions + p)],
                    all[static_cast<size_t>(row * 150 + p)]);
    }
  }
}

TEST_P(AttentionWeights, HaveTheBitsOfTheReference) {
  for (const CacheType type : {CacheType::kF16, CacheType::kQ8}) {
    Fill(150, type);
    const std::vector<uint32_t> bits = Bits(Weigh(1, 150));
    const std::unique_ptr<Machine> own = std::move(machine_);
    machine_ = std::make_unique<Machine>("cpu-reference", 1);
    Fill(150, type);
    EXPECT_EQ(bits, Bits(Weigh(1, 150)));
    caches_.clear();
    machine_ = std::make_unique<Machine>(GetParam(), 2);
  }
}

TEST_P(AttentionWeights, StopBetweenRowsAndGoOn) {
  Fill(150, CacheType::kQ8);
  const std::vector<float> whole = Weigh(1, 150);
  machine_->set_stops_always(true);

  EXPECT_EQ(Weigh(1, 150), whole);

  // Two workers may each take a row before either sees the deadline.
  EXPECT_GE(machine_->num_stops(), (kRows - 1) / 2);
}

TEST_P(AttentionWeights, EndWithTheirPass) {
  Fill(150, CacheType::kQ8);
  std::vector<float> out;
  const AttentionWeightsArgs args = Args(1, 150, &out);
  const std::atomic<bool> is_cancelled{true};

  machine_->stream().Begin({.is_cancelled = &is_cancelled}, /*resume=*/false);

  EXPECT_TRUE(absl::IsCancelled(machine_->stream().AttentionWeights(args)));
  EXPECT_EQ(out, std::vector<float>(out.size(), -1.0f));
}

INSTANTIATE_TEST_SUITE_P(AllBackends, AttentionWeights,
                         ::testing::ValuesIn(CpuBackends()),
                         [](const auto& instance) {
                           return instance.param.substr(4);
                         });

}  // namespace
}  // namespace specinfer::testing
