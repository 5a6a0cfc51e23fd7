#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/pick_kernel.h"
#include "backends/cpu/kernels/quantize_kernel.h"
#include "backends/cpu/reference/dequantize.h"
#include "tests/backend/weight_cases.h"

namespace specinfer::cpu {
namespace {

struct LinearCase {
  DType dtype;
  WeightKind kind;
};

std::string CaseName(const ::testing::TestParamInfo<LinearCase>& info) {
  return std::string(GetDTypeTraits(info.param.dtype).name) +
         (info.param.kind == WeightKind::kHostile ? "Hostile" : "Sane");
}

std::vector<LinearCase> AllCases() {
  std::vector<LinearCase> cases;
  for (const DType dtype : AllWeightTypes()) {
    cases.push_back({dtype, WeightKind::kSane});
    cases.push_back({dtype, WeightKind::kHostile});
  }
  return cases;
}

constexpr int64_t kMaxRows = 64;

class LinearTest : public ::testing::TestWithParam<LinearCase> {
 protected:
  // The op's values for each number of rows, one after the other.
  std::vector<float> Compute(Isa isa, int num_threads, int64_t outputs,
                             int64_t inputs,
                             const std::vector<int64_t>& row_counts) {
    Workbench bench(isa, num_threads,
                    {.max_rows = kMaxRows, .max_inputs = inputs});
    const DType dtype = GetParam().dtype;
    const auto weight = bench.Pack(
        dtype, outputs, inputs,
        RandomWeightBytes(dtype, outputs, inputs, GetParam().kind, 1));
    std::vector<float> all;
    for (const int64_t rows : row_counts) {
      const std::vector<float> out =
          bench.Linear(*weight, rows, RandomFloats(rows * inputs, 2),
                       RandomFloats(outputs, 3));
      all.insert(all.end(), out.begin(), out.end());
    }
    return all;
  }

  void ExpectEqualBits(int64_t outputs, int64_t inputs,
                       const std::vector<int64_t>& row_counts) {
    const std::vector<float> expected =
        Compute(Isa::kReference, 2, outputs, inputs, row_counts);
    for (const Isa isa : MachineIsas()) {
      for (const int num_threads : {1, 2}) {
        EXPECT_EQ(FirstDifference(
                      Compute(isa, num_threads, outputs, inputs, row_counts),
                      expected),
                  "")
            << IsaName(isa) << ", " << num_threads << " threads";
      }
    }
  }
};

TEST_P(LinearTest, EqualsReferenceBitForBitWithAnyNumberOfRows) {
  ExpectEqualBits(/*outputs=*/20, InputUnit(GetParam().dtype) == 1 ? 100 : 512,
                  {1, 2, 3, 7, 8, 9, 16, 33, 64});
}

TEST_P(LinearTest, EqualsReferenceBitForBitForOneOutput) {
  ExpectEqualBits(/*outputs=*/1, InputUnit(GetParam().dtype), {1, 5});
}

TEST_P(LinearTest, EqualsReferenceBitForBitForManyGroups) {
  ExpectEqualBits(/*outputs=*/16 * 37 + 15, 3 * InputUnit(GetParam().dtype),
                  {1, 6});
}

// Rows that end in a short span, or are one; also where they are no whole
// blocks.
class ShortSpanTest : public LinearTest {};

TEST_P(ShortSpanTest, EqualsReferenceBitForBit) {
  for (const int64_t inputs : {1, 31, 64, 240, 384, 896, 1000})
    ExpectEqualBits(/*outputs=*/83, inputs, {1, 6, 9, 16, 17, 40, 64});
}

INSTANTIATE_TEST_SUITE_P(
    Types, ShortSpanTest,
    ::testing::Values(LinearCase{DType::kQ8_K, WeightKind::kSane},
                      LinearCase{DType::kQ8_K, WeightKind::kHostile}),
    CaseName);

INSTANTIATE_TEST_SUITE_P(Types, LinearTest, ::testing::ValuesIn(AllCases()),
                         CaseName);

class OracleTest : public ::testing::TestWithParam<DType> {};

// Quantised activations are off by at most half a step: |x - q·d| <= max|x| /
// 254 of their block.
TEST_P(OracleTest, ReferenceIsNearTheDoublePrecisionOracle) {
  const DType dtype = GetParam();
  const int64_t outputs = 8;
  const int64_t inputs = 1024;
  const std::vector<uint8_t> bytes =
      RandomWeightBytes(dtype, outputs, inputs, WeightKind::kSane, 1);
  const std::vector<float> x = RandomFloats(inputs, 2);
  Workbench bench(Isa::kReference, 1, {.max_rows = 1, .max_inputs = inputs});

  const std::vector<float> out =
      bench.Linear(*bench.Pack(dtype, outputs, inputs, bytes), 1, x);

  std::vector<float> w(inputs);
  for (int64_t o = 0; o < outputs; ++o) {
    DequantizeRow(dtype, bytes.data() + o * (bytes.size() / outputs), inputs,
                  w.data());
    double exact = 0.0, bound = 0.0;
    for (int64_t i = 0; i < inputs; ++i) {
      float greatest = 0.0f;
      for (int64_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j)
        greatest = std::fmax(greatest, std::fabs(x[j]));
      exact += double{w[i]} * double{x[i]};
      bound += std::fabs(double{w[i]}) *
               (InputUnit(dtype) == 1 ? 0.0 : double{greatest} / 254.0);
      bound +=
          1e-5 * std::fabs(double{w[i]} * double{x[i]});  // float additions
    }
    EXPECT_NEAR(out[o], exact, bound + 1e-6);
  }
}

std::string TypeName(const ::testing::TestParamInfo<DType>& info) {
  return std::string(GetDTypeTraits(info.param).name);
}

INSTANTIATE_TEST_SUITE_P(Types, OracleTest,
                         ::testing::ValuesIn(AllWeightTypes()), TypeName);

TEST(Linear, OutputsThatShareOneInputEqualSeparateOnes) {
  for (const Isa isa : MachineIsas()) {
    Workbench bench(isa, 2, {.max_rows = 8, .max_inputs = 256});
    const auto a = bench.Pack(
        DType::kQ4_K, 40, 256,
        RandomWeightBytes(DType::kQ4_K, 40, 256, WeightKind::kSane, 1));
    const auto b = bench.Pack(
        DType::kQ6_K, 24, 256,
        RandomWeightBytes(DType::kQ6_K, 24, 256, WeightKind::kSane, 2));
    const auto c = bench.Pack(
        DType::kF16, 7, 256,
        RandomWeightBytes(DType::kF16, 7, 256, WeightKind::kSane, 3));
    const std::vector<float> x = RandomFloats(5 * 256, 4);
    const LinearOutput outputs[] = {{a.get(), {}, bench.MakeTensor(5, 40)},
                                    {b.get(), {}, bench.MakeTensor(5, 24)},
                                    {c.get(), {}, bench.MakeTensor(5, 7)}};
    LinearArgs args;
    args.in = bench.MakeTensor(5, 256, x);
    args.outputs = outputs;

    const std::vector<float> out_a = bench.Linear(args);

    const auto values = [](const Tensor& t) {
      return std::vector<float>(Floats(t), Floats(t) + t.rows * t.columns);
    };
    const std::vector<float> out_b = values(outputs[1].out),
                             out_c = values(outputs[2].out);
    EXPECT_EQ(FirstDifference(out_a, bench.Linear(*a, 5, x)), "")
        << IsaName(isa);
    EXPECT_EQ(FirstDifference(out_b, bench.Linear(*b, 5, x)), "")
        << IsaName(isa);
    EXPECT_EQ(FirstDifference(out_c, bench.Linear(*c, 5, x)), "")
        << IsaName(isa);
  }
}

std::vector<float> FloatsOfAllKinds() {
  std::vector<float> x = RandomFloats(32 * 64, 5);
  Random random(6);
  for (size_t i = 32 * 32; i < x.size(); ++i)
    x[i] = std::bit_cast<float>(random.Bits());
  const float kInfinity = std::numeric_limits<float>::infinity();
  const float specials[] = {kInfinity, -kInfinity, NAN,    1e-45f, 3e38f,
                            -3e38f,    -0.0f,      1e-38f, 2.5f,   127.0f};
  for (size_t i = 0; i < 10; ++i) x[i * 32 + 3 * i] = specials[i];
  for (size_t i = 320; i < 352; ++i)
    x[i] =
        static_cast<float>(i % 8) + 0.5f;  // halves, once scaled by 127 / 127
  x[351] = 127.0f;
  return x;
}

TEST(Quantize, EveryInstructionSetGivesTheSameBlocksForAnyFloats) {
  const std::vector<float> x = FloatsOfAllKinds();
  const auto quantize = [&](QuantizeKernel* kernel) {
    std::vector<ActivationBlock> blocks(x.size() / 32);
    kernel(x.data(), x.size(), 1, blocks.data());
    return blocks;
  };

  const std::vector<ActivationBlock> expected = quantize(&QuantizeReference);

  for (const Isa isa : MachineIsas()) {
    const auto blocks = quantize(SPECINFER_PICK_KERNEL(isa, &Quantize));
    for (size_t b = 0; b < blocks.size(); ++b) {
      EXPECT_EQ(std::vector<int>(blocks[b].codes, blocks[b].codes + 32),
                std::vector<int>(expected[b].codes, expected[b].codes + 32))
          << IsaName(isa) << " block " << b;
      EXPECT_EQ(FirstDifference({blocks[b].scale, blocks[b].scaled_sum},
                                {expected[b].scale, expected[b].scaled_sum}),
                "")
          << IsaName(isa) << " block " << b;
      EXPECT_EQ(blocks[b].minus_128_sum, expected[b].minus_128_sum);
    }
  }
}

TEST(Quantize, EveryInstructionSetGivesTheSameSpansForAnyFloats) {
  const std::vector<float> x = FloatsOfAllKinds();
  const auto quantize = [&](QuantizeSpansKernel* kernel) {
    std::vector<ActivationSpan> spans(x.size() / kSpanInputs);
    kernel(x.data(), x.size(), 1, spans.data());
    return spans;
  };

  const auto expected = quantize(&QuantizeSpansReference);

  for (const Isa isa : MachineIsas()) {
    const auto spans = quantize(SPECINFER_PICK_KERNEL(isa, &QuantizeSpans));
    for (size_t s = 0; s < spans.size(); ++s) {
      const auto list = [](const auto& array) {
        return std::vector<int>(std::begin(array), std::end(array));
      };
      SCOPED_TRACE(std::string(IsaName(isa)) + " span " + std::to_string(s));
      EXPECT_EQ(list(spans[s].codes), list(expected[s].codes));
      EXPECT_EQ(list(spans[s].sums), list(expected[s].sums));
      EXPECT_EQ(list(spans[s].pair_sums), list(expected[s].pair_sums));
      EXPECT_EQ(FirstDifference({spans[s].scale}, {expected[s].scale}), "");
    }
  }
}

}  // namespace
}  // namespace specinfer::cpu
