#include <cmath>
#include <complex>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "src/base/scalar_math.h"
#include "tests/backend/machine.h"
#include "tests/backend/test_cache.h"
#include "tests/backend/test_tree.h"

namespace specinfer::testing {
namespace {

constexpr int kHeadDim = 48;
constexpr int kRotaryDims = 36;
constexpr int kCommitted = 62;
constexpr int kRows = 5;

class RopeAndStore : public ::testing::TestWithParam<std::string> {
 protected:
  RopeAndStore() : machine_(GetParam(), 2) {}
  void SetUp() override {
    if (!machine_.is_available())
      GTEST_SKIP() << "this machine lacks " << GetParam();
    cache_.emplace_back(machine_, kCommitted + kRows, 2, kHeadDim);
    for (int i = 0; i < kRows * kRotaryDims / 2; ++i) {
      const SinCos turn = ComputeSinCos(0.11 * i);
      cos_sin_.insert(cos_sin_.end(), {turn.cos, turn.sin});
    }
    args_.query = machine_.MakeTensor(kRows, 2 * kHeadDim, query_);
    args_.key = machine_.MakeTensor(kRows, 2 * kHeadDim, key_);
    args_.value = machine_.MakeTensor(kRows, 2 * kHeadDim, value_);
    args_.cos_sin = cos_sin_;
    args_.rotary_dims = kRotaryDims;
    args_.heads = args_.kv_heads = 2;
    args_.head_dim = kHeadDim;
    sequence_ = chain_.Sequence(cache_[0].pages(), kCommitted);
    args_.sequences = absl::MakeSpan(&sequence_, 1);
  }

  void TurnAndStore(RopePairing pairing) {
    args_.pairing = pairing;
    ASSERT_TRUE(
        machine_.Run([&](Stream& stream) { return stream.RopeAndStore(args_); })
            .ok());
  }

  // Pair i of each row and head, turned as a complex number.
  void ExpectTurned(const std::vector<float>& in, const std::vector<float>& out,
                    int first_step, int second_offset) {
    for (int head_row = 0; head_row < 2 * kRows; ++head_row) {
      const int head = head_row * kHeadDim;
      for (int i = 0; i < kRotaryDims / 2; ++i) {
        const size_t a = static_cast<size_t>(head + first_step * i);
        const size_t b = a + static_cast<size_t>(second_offset);
        const double angle = 0.11 * (head_row / 2 * kRotaryDims / 2 + i);
        const std::complex<double> turned =
            std::complex<double>(in[a], in[b]) * std::polar(1.0, angle);
        ASSERT_NEAR(out[a], turned.real(), 4e-7);
        ASSERT_NEAR(out[b], turned.imag(), 4e-7);
      }
      for (int d = kRotaryDims; d < kHeadDim; ++d) {
        ASSERT_EQ(out[static_cast<size_t>(head + d)],
                  in[static_cast<size_t>(head + d)]);
      }
    }
  }

  Machine machine_;
  const std::vector<float> query_ = RandomFloats(kRows * 2 * kHeadDim, 1);
  const std::vector<float> key_ = RandomFloats(kRows * 2 * kHeadDim, 2);
  const std::vector<float> value_ = RandomFloats(kRows * 2 * kHeadDim, 3);
  std::vector<TestCache> cache_;
  std::vector<float> cos_sin_;
  const TestTree chain_ = Chain(kRows);
  AttentionSequence sequence_;
  RopeAndStoreArgs args_;
};

TEST_P(RopeAndStore, TurnsHalvesAsComplexNumbers) {
  TurnAndStore(RopePairing::kHalves);

  ExpectTurned(query_, Machine::Values(args_.query), 1, kRotaryDims / 2);
  ExpectTurned(key_, Machine::Values(args_.key), 1, kRotaryDims / 2);
}

TEST_P(RopeAndStore, TurnsNeighboursAsComplexNumbers) {
  TurnAndStore(RopePairing::kAdjacent);

  ExpectTurned(query_, Machine::Values(args_.query), 2, 1);
  ExpectTurned(key_, Machine::Values(args_.key), 2, 1);
}

TEST_P(RopeAndStore, StoresTurnedKeysAndPlainValuesInTheirSlots) {
  TurnAndStore(RopePairing::kHalves);

  const std::vector<float> turned = Machine::Values(args_.key);
  for (int i = 0; i < kRows * 2 * kHeadDim; ++i) {
    const int slot = kCommitted + i / (2 * kHeadDim);
    const int head = i / kHeadDim % 2;
    const size_t index = static_cast<size_t>(i);
    ASSERT_EQ(*cache_[0].Key(slot, head, i % kHeadDim),
              FloatToHalf(turned[index]));
    ASSERT_EQ(*cache_[0].Value(slot, head, i % kHeadDim),
              FloatToHalf(value_[index]));
  }
}

TEST_P(RopeAndStore, TouchesNoOtherSlot) {
  const std::vector<uint16_t> before = cache_[0].Contents();

  TurnAndStore(RopePairing::kHalves);

  const std::vector<uint16_t> after = cache_[0].Contents();
  int num_changed = 0;
  for (size_t i = 0; i < after.size(); ++i)
    num_changed += after[i] != before[i] ? 1 : 0;
  EXPECT_EQ(num_changed, kRows * 2 * kHeadDim * 2);
}

TEST_P(RopeAndStore, StoresCodesOfTurnedKeysAndPlainValues) {
  TestCache stored(machine_, kCommitted + kRows, 2, kHeadDim, 1,
                   CacheType::kQ8);
  TestCache expected(machine_, kCommitted + kRows, 2, kHeadDim, 1,
                     CacheType::kQ8);
  sequence_ = chain_.Sequence(stored.pages(), kCommitted);
  args_.cache_type = CacheType::kQ8;

  TurnAndStore(RopePairing::kHalves);

  const std::vector<float> turned = Machine::Values(args_.key);
  for (int row = 0; row < kRows; ++row) {
    expected.Write(kCommitted + row, turned.data() + row * 2 * kHeadDim,
                   value_.data() + row * 2 * kHeadDim);
  }
  EXPECT_EQ(stored.Contents(), expected.Contents());
}

TEST_P(RopeAndStore, StoresCodesOfNumbersThatNoScaleFits) {
  std::vector<float> key(key_), value(value_);
  for (int d = 0; d < kHeadDim; ++d) {
    key[static_cast<size_t>(d)] = 1e-9f;  // no half is so small
    value[static_cast<size_t>(d)] = d == 3 ? 1e30f : 0.0f;
    value[static_cast<size_t>(kHeadDim + d)] =
        d == 3 ? std::numeric_limits<float>::infinity() : 1.0f;
  }
  TestCache stored(machine_, kCommitted + kRows, 2, kHeadDim, 1,
                   CacheType::kQ8);
  sequence_ = chain_.Sequence(stored.pages(), kCommitted);
  args_.cache_type = CacheType::kQ8;
  args_.rotary_dims = 0;
  args_.key = machine_.MakeTensor(kRows, 2 * kHeadDim, key);
  args_.value = machine_.MakeTensor(kRows, 2 * kHeadDim, value);

  TurnAndStore(RopePairing::kHalves);

  EXPECT_EQ(stored.ReadKey(kCommitted, 0, 5), 0.0);
  EXPECT_EQ(stored.ReadValue(kCommitted, 0, 3), 127.0f * 65504.0f);
  EXPECT_EQ(stored.ReadValue(kCommitted, 0, 7), 0.0f);
  EXPECT_EQ(stored.ReadValue(kCommitted, 1, 3), 127.0f * 65504.0f);
  EXPECT_EQ(stored.ReadValue(kCommitted, 1, 7), 0.0f);
}

INSTANTIATE_TEST_SUITE_P(AllBackends, RopeAndStore,
                         ::testing::ValuesIn(CpuBackends()),
                         [](const auto& instance) {
                           return instance.param.substr(4);
                         });

}  // namespace
}  // namespace specinfer::testing
