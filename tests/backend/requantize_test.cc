#include "backends/cpu/kernels/requantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/cpu/reference/dequantize.h"
#include "tests/backend/weight_cases.h"

namespace specinfer::cpu {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr int kBlock = kBlockInputs;

std::vector<float> Requantized(const std::vector<float>& values) {
  uint8_t block[kQ4BlockBytes];
  QuantizeQ4Block(values.data(), block);
  std::vector<float> result(kBlock);
  DequantizeRow(DType::kQ4_0, block, kBlock, result.data());
  return result;
}

double SquaredError(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum;
}

// The least error over a fine grid of scales, each refitted to its codes.
double LeastError(const std::vector<float>& values) {
  double furthest = 0.0;
  for (const float value : values)
    furthest = std::max(furthest, std::fabs(double{value}));
  double least = INFINITY;
  for (int step = 0; step < 4000; ++step) {
    for (const double sign : {-1.0, 1.0}) {
      const double scale = sign * furthest / (4.0 + step * 0.0015);
      double squares = 0.0, products = 0.0, square_codes = 0.0;
      for (const float value : values) {
        const double code = std::clamp(std::nearbyint(value / scale), -8., 7.);
        squares += double{value} * value;
        products += value * code;
        square_codes += code * code;
      }
      least = std::min(least, squares - products * products / square_codes);
    }
  }
  return least;
}

struct Law {
  const char* name;
  std::function<float(Random&)> draw;
};

float Bell(Random& random) {
  float sum = 0.0f;
  for (int i = 0; i < 6; ++i) sum += random.Uniform();
  return 0.02f * sum;
}

class QuantizerTest : public testing::TestWithParam<Law> {};

TEST_P(QuantizerTest, LosesAtMostOnePercentMoreThanTheBestOfAllScales) {
  Random random(1);
  double error = 0.0, least = 0.0, worst = 0.0;
  for (int i = 0; i < 300; ++i) {
    std::vector<float> values(kBlock);
    for (float& value : values) value = GetParam().draw(random);

    const double block_error = SquaredError(Requantized(values), values);
    const double block_least = LeastError(values);

    error += block_error;
    least += block_least;
    worst = std::max(worst, block_error / block_least);
  }

  EXPECT_LT(error, 1.01 * least);
  EXPECT_LT(worst, 1.25);  // of any one block
}

INSTANTIATE_TEST_SUITE_P(
    Laws, QuantizerTest,
    testing::Values(
        Law{"Uniform", [](Random& r) { return r.Uniform(); }},
        Law{"Bell", Bell},
        Law{"HeavyTails", [](Random& r) { return std::pow(Bell(r), 3.0f); }},
        Law{"OneSided", [](Random& r) { return std::fabs(Bell(r)); }}),
    [](const auto& law) { return std::string(law.param.name); });

TEST(Quantizer, KeepsWhatItCanHold) {
  for (const float scale : {0.5f, -0.5f, 0.001953125f}) {
    std::vector<float> values(kBlock);
    for (int i = 0; i < kBlock; ++i) values[i] = scale * (i % 16 - 8);

    EXPECT_EQ(Requantized(values), values);
  }
}

TEST(Quantizer, KeepsZeros) {
  EXPECT_THAT(Requantized(std::vector<float>(kBlock, 0.0f)), Each(0.0f));
  EXPECT_THAT(Requantized(std::vector<float>(kBlock, 1e-12f)), Each(0.0f));
  EXPECT_THAT(Requantized(std::vector<float>(kBlock, -1e-45f)), Each(0.0f));
}

TEST(Quantizer, MakesFiniteWeightsOfAnyFloats) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float odd : {kInfinity, -kInfinity, std::nanf(""), -std::nanf(""),
                          3e38f, -3e38f, 7e4f, 6e5f}) {
    for (const int places : {1, 2, kBlock}) {
      std::vector<float> values(kBlock, 0.25f);
      std::fill_n(values.begin() + kBlock - places, places, odd);

      for (const float value : Requantized(values))
        EXPECT_TRUE(std::isfinite(value)) << odd << " in " << places;
    }
  }
}

TEST(Quantizer, CountsNoNumberAsZero) {
  std::vector<float> values(kBlock, 0.25f);
  values[5] = std::nanf("");

  const std::vector<float> result = Requantized(values);

  EXPECT_EQ(result[5], 0.0f);
  EXPECT_NEAR(result[6], 0.25f, 0.001f);
}

std::vector<float> RequantizedQ8(const std::vector<float>& values) {
  uint8_t span[kQ8SpanBytes];
  QuantizeQ8Span(values.data(), static_cast<int64_t>(values.size()), span);
  std::vector<float> result(values.size());
  DequantizeRow(DType::kQ8_K, span, static_cast<int64_t>(values.size()),
                result.data());
  return result;
}

// A half scale is off by at most 1 in 2048, so the end is off by 1 / 16 step.
TEST(Q8Quantizer, IsOffByAboutHalfAStepAtMost) {
  Random random(2);
  for (const size_t count : {1, 16, 128, 240, 256}) {
    std::vector<float> values(count);
    float greatest = 0.0f;
    for (float& value : values) {
      value = random.Uniform();
      greatest = std::max(greatest, std::fabs(value));
    }

    const std::vector<float> result = RequantizedQ8(values);

    for (size_t i = 0; i < count; ++i)
      EXPECT_NEAR(result[i], values[i], 0.57f * greatest / 127.0f);
  }
}

TEST(Q8Quantizer, KeepsWhatItCanHold) {
  std::vector<float> values(255);
  for (int i = 0; i < 255; ++i) values[i] = 0.5f * (i - 127);

  EXPECT_EQ(RequantizedQ8(values), values);
}

TEST(Q8Quantizer, RoundsHalvesToEven) {
  EXPECT_EQ(RequantizedQ8({127.0f, 0.5f, 1.5f, -2.5f}),
            (std::vector<float>{127.0f, 0.0f, 2.0f, -2.0f}));
}

TEST(Q8Quantizer, MakesFiniteWeightsOfAnyFloats) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float odd :
       {kInfinity, -kInfinity, std::nanf(""), 3e38f, 1e-45f, 8e6f}) {
    for (const float value : RequantizedQ8({0.25f, odd, -0.25f}))
      EXPECT_TRUE(std::isfinite(value)) << odd;
  }
  EXPECT_EQ(RequantizedQ8({1.0f, std::nanf("")})[1], 0.0f);
}

// Of a file's type, with a short span at the end and an incomplete group.
TEST(Q8Requantize, IsTheSameOnEveryInstructionSet) {
  constexpr int64_t kOutputs = 37, kInputs = 560;
  for (const DType dtype : {DType::kF16, DType::kF32, DType::kBF16}) {
    const std::vector<uint8_t> bytes =
        RandomWeightBytes(dtype, kOutputs, kInputs, WeightKind::kHostile, 1);
    std::vector<float> row(kInputs), expected;
    std::vector<Token> tokens;
    for (int64_t o = 0; o < kOutputs; ++o) {
      DequantizeRow(dtype, bytes.data() + o * (bytes.size() / kOutputs),
                    kInputs, row.data());
      for (int64_t i = 0; i < kInputs; i += 256) {
        const std::vector<float> span = RequantizedQ8(
            {row.data() + i, row.data() + std::min(i + 256, kInputs)});
        expected.insert(expected.end(), span.begin(), span.end());
      }
      tokens.push_back(static_cast<Token>(o));
    }
    for (const Isa isa : MachineIsas()) {
      Workbench bench(isa, 2, {});
      const auto table = PackWeight({.dtype = dtype,
                                     .outputs = kOutputs,
                                     .inputs = kInputs,
                                     .bytes = bytes,
                                     .name = "x",
                                     .packed_as = DType::kQ8_K},
                                    isa, bench.memory(), bench.executor());
      ASSERT_TRUE(table.ok()) << table.status();
      EXPECT_EQ(FirstDifference(bench.Embed(**table, tokens, 1.0f), expected),
                "")
          << IsaName(isa);
    }
  }
}

class RequantizeTest : public testing::TestWithParam<DType> {};

std::unique_ptr<Weight> PackAsQ4(Workbench& bench, DType dtype, int64_t outputs,
                                 int64_t inputs,
                                 const std::vector<uint8_t>& bytes) {
  absl::StatusOr<std::unique_ptr<Weight>> weight =
      PackWeight({.dtype = dtype,
                  .outputs = outputs,
                  .inputs = inputs,
                  .bytes = bytes,
                  .name = "x",
                  .packed_as = DType::kQ4_0},
                 bench.isa(), bench.memory(), bench.executor());
  EXPECT_TRUE(weight.ok()) << weight.status();
  return weight.ok() ? *std::move(weight) : nullptr;
}

// Rows longer than a run, not a multiple of it, and an incomplete group.
TEST_P(RequantizeTest, IsTheSameOnEveryInstructionSetAndNumberOfThreads) {
  const DType dtype = GetParam();
  const int64_t outputs = 150;
  const int64_t inputs = InputUnit(dtype) == 256 ? 768 : 288;
  const std::vector<uint8_t> bytes =
      RandomWeightBytes(dtype, outputs, inputs, WeightKind::kHostile, 1);
  std::vector<float> expected(outputs * inputs);
  std::vector<Token> tokens;
  for (int64_t row = 0; row < outputs; ++row) {
    float* const values = &expected[row * inputs];
    DequantizeRow(dtype, bytes.data() + row * (bytes.size() / outputs), inputs,
                  values);
    for (int64_t i = 0; i < inputs; i += kBlock) {
      const std::vector<float> block =
          Requantized({values + i, values + i + kBlock});
      std::copy(block.begin(), block.end(), values + i);
    }
    tokens.push_back(static_cast<Token>(row));
  }

  for (const Isa isa : MachineIsas()) {
    for (const int num_threads : {1, 3}) {
      Workbench bench(isa, num_threads, {});
      const auto table = PackAsQ4(bench, dtype, outputs, inputs, bytes);
      ASSERT_NE(table, nullptr);
      EXPECT_EQ(table->dtype, DType::kQ4_0);
      EXPECT_EQ(FirstDifference(bench.Embed(*table, tokens, 1.0f), expected),
                "")
          << IsaName(isa) << ", " << num_threads << " threads";
    }
  }
}

TEST_P(RequantizeTest, TakesTheBytesThatWerePlanned) {
  const int64_t inputs = 3 * std::max<int64_t>(InputUnit(GetParam()), 32);
  Workbench bench(Isa::kAvx2, 1, {});

  const auto weight =
      PackAsQ4(bench, GetParam(), 17, inputs,
               RandomWeightBytes(GetParam(), 17, inputs, WeightKind::kSane, 1));

  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->packed_bytes, PackedWeightBytes(DType::kQ4_0, 17, inputs));
  EXPECT_EQ(AsPacked(*weight).block.size(), weight->packed_bytes);
  EXPECT_EQ(weight->bytes().size(), weight->packed_bytes);
}

std::vector<DType> OtherTypes() {
  std::vector<DType> types(std::begin(kWeightTypes), std::end(kWeightTypes));
  std::erase(types, DType::kQ4_0);
  return types;
}

INSTANTIATE_TEST_SUITE_P(Types, RequantizeTest, testing::ValuesIn(OtherTypes()),
                         [](const auto& type) {
                           return std::string(GetDTypeTraits(type.param).name);
                         });

TEST(Requantize, RefusesOtherTypesThanQ4AndRowsOfNoWholeBlocks) {
  Workbench bench(Isa::kAvx2, 1, {});
  const std::vector<uint8_t> bytes(2 * 48 * sizeof(float));
  const auto pack = [&](int64_t inputs, DType packed_as) {
    return PackWeight({.dtype = DType::kF32,
                       .outputs = 2,
                       .inputs = inputs,
                       .bytes = absl::MakeConstSpan(bytes).first(2 * inputs *
                                                                 sizeof(float)),
                       .name = "blk.0.x",
                       .packed_as = packed_as},
                      bench.isa(), bench.memory(), bench.executor())
        .status();
  };

  EXPECT_TRUE(pack(32, DType::kQ4_0).ok());
  EXPECT_EQ(pack(48, DType::kQ4_0).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(pack(32, DType::kQ8_0).code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(pack(32, DType::kQ8_0).message()),
              HasSubstr("blk.0.x"));
}

}  // namespace
}  // namespace specinfer::cpu
