#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/backend/machine.h"

namespace specinfer::testing {
namespace {

class GatedActivation : public ::testing::TestWithParam<std::string> {
 protected:
  GatedActivation() : machine_(GetParam(), 2) {}
  void SetUp() override {
    if (!machine_.is_available())
      GTEST_SKIP() << "this machine lacks " << GetParam();
  }

  // activation(gate) · 1.
  std::vector<float> Activate(Activation activation,
                              const std::vector<float>& gate) {
    const int64_t count = static_cast<int64_t>(gate.size());
    GatedActivationArgs args;
    args.activation = activation;
    args.gate = machine_.MakeTensor(1, count, gate);
    args.up =
        machine_.MakeTensor(1, count, std::vector<float>(gate.size(), 1.0f));
    args.out = machine_.MakeTensor(1, count);
    EXPECT_TRUE(
        machine_
            .Run([&](Stream& stream) { return stream.GatedActivation(args); })
            .ok());
    return Machine::Values(args.out);
  }

  Machine machine_;
};

TEST_P(GatedActivation, SiluIsWithinFourRoundingsOfDoublePrecision) {
  const std::vector<float> gate = RandomFloats(20001, 1, 80.0f);

  const std::vector<float> out = Activate(Activation::kSilu, gate);

  for (size_t i = 0; i < out.size(); ++i) {
    const double exact = gate[i] / (1.0 + std::exp(-double{gate[i]}));
    ASSERT_NEAR(out[i], exact, std::fabs(exact) * 4 * 0x1p-23) << gate[i];
  }
}

TEST_P(GatedActivation, GeluIsWithinThreeRoundingsOfItsArgument) {
  const std::vector<float> gate = RandomFloats(20001, 2, 12.0f);

  const std::vector<float> out = Activate(Activation::kGeluTanh, gate);

  for (size_t i = 0; i < out.size(); ++i) {
    const double x = gate[i];
    const double exact =
        0.5 * x *
        (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
    ASSERT_NEAR(out[i], exact, std::fabs(x) * 3 * 0x1p-23) << gate[i];
  }
}

TEST_P(GatedActivation, ExactGeluIsWithinItsApproximation) {
  const std::vector<float> gate = RandomFloats(20001, 5, 12.0f);

  const std::vector<float> out = Activate(Activation::kGelu, gate);

  for (size_t i = 0; i < out.size(); ++i) {
    const double x = gate[i];
    const double exact = 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    ASSERT_NEAR(out[i], exact, std::fabs(x) * 2.5e-7) << x;
  }
}

TEST_P(GatedActivation, WithoutUpIsTheActivationAlone) {
  const std::vector<float> in = RandomFloats(101, 6, 8.0f);
  GatedActivationArgs args;
  args.activation = Activation::kGelu;
  args.gate = machine_.MakeTensor(1, 101, in);
  args.out = machine_.MakeTensor(1, 101);

  ASSERT_TRUE(
      machine_.Run([&](Stream& stream) { return stream.GatedActivation(args); })
          .ok());

  EXPECT_EQ(Bits(Machine::Values(args.out)),
            Bits(Activate(Activation::kGelu, in)));
}

TEST_P(GatedActivation, MultipliesByUp) {
  GatedActivationArgs args;
  args.gate = machine_.MakeTensor(1, 3, {1.0f, 1.0f, 1.0f});
  args.up = machine_.MakeTensor(1, 3, {2.0f, 0.0f, -4.0f});
  args.out = machine_.MakeTensor(1, 3);

  ASSERT_TRUE(
      machine_.Run([&](Stream& stream) { return stream.GatedActivation(args); })
          .ok());

  const std::vector<float> out = Machine::Values(args.out);
  EXPECT_NEAR(out[0], 2.0 / (1.0 + std::exp(-1.0)), 1e-6);
  EXPECT_EQ(out[1], 0.0f);
  EXPECT_EQ(out[2], -2.0f * out[0]);
}

INSTANTIATE_TEST_SUITE_P(AllBackends, GatedActivation,
                         ::testing::ValuesIn(CpuBackends()),
                         [](const auto& instance) {
                           return instance.param.substr(4);
                         });

}  // namespace
}  // namespace specinfer::testing
