#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/backend/machine.h"

namespace specinfer::testing {
namespace {

class RmsNorm : public ::testing::TestWithParam<std::string> {
 protected:
  RmsNorm() : machine_(GetParam(), 2) {}
  void SetUp() override {
    if (!machine_.is_available())
      GTEST_SKIP() << "this machine lacks " << GetParam();
  }

  std::vector<float> Normalize(int64_t width, const std::vector<float>& in,
                               const std::vector<float>& weight) {
    const int64_t rows = static_cast<int64_t>(in.size()) / width;
    RmsNormArgs args;
    args.in = machine_.MakeTensor(rows, width, in);
    args.weight = machine_.MakeTensor(1, width, weight);
    args.epsilon = 1e-5f;
    args.out = machine_.MakeTensor(rows, width);
    EXPECT_TRUE(
        machine_.Run([&](Stream& stream) { return stream.RmsNorm(args); })
            .ok());
    return Machine::Values(args.out);
  }

  Machine machine_;
};

TEST_P(RmsNorm, IsWithinFourRoundingsOfDoublePrecision) {
  constexpr int64_t kWidth = 1537;
  const std::vector<float> in = RandomFloats(kWidth, 1, 5.0f);
  const std::vector<float> weight = RandomFloats(kWidth, 2);

  const std::vector<float> out = Normalize(kWidth, in, weight);

  double squares = 0.0;
  for (const float x : in) squares += double{x} * double{x};
  const double inverse = 1.0 / std::sqrt(squares / kWidth + 1e-5);
  for (size_t i = 0; i < out.size(); ++i) {
    const double exact = in[i] * inverse * weight[i];
    ASSERT_NEAR(out[i], exact, std::fabs(exact) * 4 * 0x1p-23) << i;
  }
}

TEST_P(RmsNorm, GivesARowTheSameBitsAloneAndAmongOthers) {
  constexpr int64_t kWidth = 100;
  constexpr int64_t kRows = 400;
  const std::vector<float> in = RandomFloats(kWidth * kRows, 3);
  const std::vector<float> weight = RandomFloats(kWidth, 4);
  const auto row = in.begin() + 211 * kWidth;

  const std::vector<float> together = Normalize(kWidth, in, weight);
  const std::vector<float> alone =
      Normalize(kWidth, {row, row + kWidth}, weight);

  const auto same_row = together.begin() + 211 * kWidth;
  EXPECT_EQ(Bits({same_row, same_row + kWidth}), Bits(alone));
}

TEST_P(RmsNorm, LayerNormIsNearDoublePrecisionFarFromZeroToo) {
  constexpr int64_t kWidth = 521;
  std::vector<float> in = RandomFloats(kWidth, 5, 5.0f);
  for (float& x : in) x += 100.0f;
  const std::vector<float> weight = RandomFloats(kWidth, 6);
  const std::vector<float> bias = RandomFloats(kWidth, 7);
  LayerNormArgs args;
  args.in = machine_.MakeTensor(1, kWidth, in);
  args.weight = machine_.MakeTensor(1, kWidth, weight);
  args.bias = machine_.MakeTensor(1, kWidth, bias);
  args.epsilon = 1e-5f;
  args.out = machine_.MakeTensor(1, kWidth);

  ASSERT_TRUE(
      machine_.Run([&](Stream& stream) { return stream.LayerNorm(args); })
          .ok());

  double mean = 0.0, squares = 0.0;
  for (const float x : in) mean += double{x} / kWidth;
  for (const float x : in) squares += (x - mean) * (x - mean) / kWidth;
  const std::vector<float> out = Machine::Values(args.out);
  for (size_t i = 0; i < out.size(); ++i) {
    const double exact =
        (in[i] - mean) / std::sqrt(squares + 1e-5) * weight[i] + bias[i];
    ASSERT_NEAR(out[i], exact, 1e-5) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(AllBackends, RmsNorm,
                         ::testing::ValuesIn(CpuBackends()),
                         [](const auto& instance) {
                           return instance.param.substr(4);
                         });

}  // namespace
}  // namespace specinfer::testing
