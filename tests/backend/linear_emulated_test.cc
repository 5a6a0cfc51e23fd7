// Kernels for AMX on an emulation of its instructions, against those for
// AVX-512: the same bits for any number of rows and any weights.
#if defined(__x86_64__)

#include "tests/backend/linear_emulated.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backends/cpu/kernels/linear_rows.h"
#include "src/base/cpu_features.h"
#include "tests/backend/weight_cases.h"

namespace specinfer::cpu {
namespace {

class LinearEmulatedTest : public ::testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (!DetectCpuFeatures().avx512)
      GTEST_SKIP() << "this machine has no AVX-512";
  }

  // All outputs of all rows, with a bias, `step` groups at once.
  std::vector<float> Compute(LinearKernel* kernel, const PackedWeight& weight,
                             const QuantizedRows& rows, int64_t num_rows,
                             int64_t step = 1) {
    const std::vector<float> bias = RandomFloats(weight.outputs, 5);
    std::vector<float> out(num_rows * weight.outputs, -1.0f);
    LinearTile tile = rows.TileOf(weight, Isa::kAmx, 0, num_rows);
    for (tile.group = 0; tile.group < weight.num_groups(); tile.group += step) {
      tile.num_groups = std::min(step, weight.num_groups() - tile.group);
      tile.bias = bias.data() + tile.group * kGroupOutputs;
      tile.out = out.data() + tile.group * kGroupOutputs;
      kernel(tile);
    }
    return out;
  }

  void ExpectEqualBits(WeightKind kind) {
    ExpectEqualBits(kind, /*inputs=*/768);
    for (const DType own : kPackedWeightTypes) {
      if (own != GetParam()) continue;
      for (const int64_t inputs : {40, 240, 896}) ExpectEqualBits(kind, inputs);
    }
  }

  void ExpectEqualBits(WeightKind kind, int64_t inputs) {
    const int64_t outputs = GetParam() == DType::kQ8_K ? 100 : 20;
    const int64_t step = GetParam() == DType::kQ8_K ? kMaxGroups : 1;
    constexpr int64_t kMaxRows = 83;
    Workbench bench(Isa::kAvx512, 1,
                    {.max_rows = kMaxRows, .max_inputs = inputs});
    const auto weight =
        bench.Pack(GetParam(), outputs, inputs,
                   RandomWeightBytes(GetParam(), outputs, inputs, kind, 3));
    const PackedWeight& packed = AsPacked(*weight);
    const Tensor in =
        bench.MakeTensor(kMaxRows, inputs, RandomFloats(kMaxRows * inputs, 4));
    auto codes = bench.memory().Allocate(
        (kMaxRows + kPanelRows) * NumSpans(inputs) *
            (kSpanInputs / kBlockInputs) * sizeof(ActivationBlock),
        "test");
    ASSERT_TRUE(codes.ok()) << codes.status();
    const QuantizedRows rows = {packed.layout->activations(), nullptr,
                                codes->data()};
    for (const int64_t num_rows : {1, 3, 4, 5, 8, 11, 16, 17, 40, 64, 83}) {
      TileRunner tiles(bench.executor());
      ASSERT_TRUE(QuantizeRows(
                      in, num_rows, [](int64_t row) { return row; },
                      Isa::kAvx512, rows, tiles)
                      .ok());
      EXPECT_EQ(FirstDifference(Compute(FindLinearEmulated(GetParam()), packed,
                                        rows, num_rows, step),
                                Compute(FindLinearAvx512(GetParam()), packed,
                                        rows, num_rows)),
                "")
          << num_rows << " rows";
    }
  }
};

TEST_P(LinearEmulatedTest, EqualsAvx512BitForBit) {
  ExpectEqualBits(WeightKind::kSane);
}

TEST_P(LinearEmulatedTest, EqualsAvx512BitForBitForAnyBytes) {
  ExpectEqualBits(WeightKind::kHostile);
}

INSTANTIATE_TEST_SUITE_P(
    QuantizedTypes, LinearEmulatedTest,
    ::testing::Values(DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                      DType::kQ8_0, DType::kQ2_K, DType::kQ3_K, DType::kQ4_K,
                      DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL,
                      DType::kIQ4_XS, DType::kQ8_K),
    [](const auto& type) {
      return std::string(GetDTypeTraits(type.param).name);
    });

}  // namespace
}  // namespace specinfer::cpu

#endif  // defined(__x86_64__)
