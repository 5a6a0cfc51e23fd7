// Attention over a q8 cache for AMX, on an emulation of its instructions,
// against that for AVX-512: the same bits.
#if defined(__x86_64__)

#include "tests/backend/attention_emulated.h"

#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backends/cpu/kernels/q8_layout.h"
#include "src/base/cpu_features.h"
#include "src/base/half.h"
#include "tests/backend/weight_cases.h"

namespace specinfer::cpu {
namespace {

constexpr int kLanes = Q8Layout::kPositions;

// One head of a page: any codes in ±127, scales of order 1 / 127.
std::vector<uint8_t> RandomPage(int head_dim, uint64_t seed) {
  const Q8Layout layout(head_dim);
  std::vector<uint8_t> page(layout.num_bytes);
  Random random(seed);
  for (int64_t i = 0; i < layout.key_scales; ++i)
    page[i] = static_cast<uint8_t>(static_cast<int>(random.Bits() % 255) - 127);
  for (int64_t i = layout.key_scales; i < layout.num_bytes; i += 2) {
    const uint16_t half = FloatToHalf((random.Uniform() + 1.5f) * 0x1p-8f);
    page[i] = static_cast<uint8_t>(half);
    page[i + 1] = static_cast<uint8_t>(half >> 8);
  }
  return page;
}

// The state of some queries, and the scratch of a kernel.
struct Queries {
  Queries(int count, int head_dim, int code_stride,
          QuantizeQueryKernel* quantize)
      : num_scales(Q8Layout(head_dim).num_scales()),
        outs(count * head_dim),
        maximum(count, -std::numeric_limits<float>::infinity()),
        sum(count),
        correction(count),
        weights(count * kLanes),
        scales((count + 16) * num_scales),
        steps(count + 16),
        floats(AttentionScratchFloats(head_dim) + 16),
        codes((count + 16) * num_scales * code_stride),
        weight_codes((count + 16) * 2 * kLanes),
        sums((count + 16) * num_scales),
        first_lane(count),
        last_lane(count) {
    for (int q = 0; q < count; ++q) {
      out.push_back(outs.data() + q * head_dim);
      quantize(RandomFloats(head_dim, 100 + q).data(), head_dim,
               codes.data() + q * num_scales * code_stride,
               scales.data() + q * num_scales, sums.data() + q * num_scales);
    }
  }

  void Attend(AttentionKernel* kernel, const std::vector<uint8_t>& page,
              int head_dim, uint64_t seed) {
    Random random(seed);
    for (size_t q = 0; q < first_lane.size(); ++q) {
      first_lane[q] = static_cast<int>(random.Bits() % kLanes);
      last_lane[q] = first_lane[q] + 1 +
                     static_cast<int>(random.Bits() % (kLanes - first_lane[q]));
    }
    float* const aligned = reinterpret_cast<float*>(
        (reinterpret_cast<uintptr_t>(floats.data()) + 63) / 64 * 64);
    kernel({page.data(),
            nullptr,
            head_dim,
            0.1f,
            0.0f,
            static_cast<int>(out.size()),
            {out.data(), maximum.data(), sum.data(), correction.data(),
             first_lane.data(), last_lane.data(), weights.data(), nullptr, 0,
             codes.data(), scales.data(), sums.data(), weight_codes.data(),
             steps.data()},
            aligned});
  }

  const int num_scales;
  std::vector<float> outs, maximum, sum, correction, weights, scales, steps,
      floats;
  std::vector<int8_t> codes;
  std::vector<uint8_t> weight_codes;
  std::vector<int32_t> sums;
  std::vector<int> first_lane, last_lane;
  std::vector<float*> out;
};

class AttentionEmulatedTest : public ::testing::TestWithParam<int> {};

TEST_P(AttentionEmulatedTest, EqualsAvx512BitForBit) {
  if (!DetectCpuFeatures().avx512)
    GTEST_SKIP() << "this machine has no AVX-512";
  const int head_dim = GetParam();
  for (const int count : {1, 6, 16, 17, 48}) {
    Queries expected(count, head_dim, 32, &QuantizeQueryAvx512);
    Queries emulated(count, head_dim, 64, &QuantizeQueryEmulated);
    BeginAttentionTileEmulated();
    for (uint64_t block = 0; block < 3; ++block) {
      const std::vector<uint8_t> page = RandomPage(head_dim, block);
      expected.Attend(&AttendQ8Avx512, page, head_dim, 10 + block);
      emulated.Attend(&AttendQ8Emulated, page, head_dim, 10 + block);
    }
    EXPECT_EQ(FirstDifference(emulated.outs, expected.outs), "") << count;
    EXPECT_EQ(FirstDifference(emulated.sum, expected.sum), "") << count;
    EXPECT_EQ(FirstDifference(emulated.maximum, expected.maximum), "") << count;
  }
}

INSTANTIATE_TEST_SUITE_P(HeadDims, AttentionEmulatedTest,
                         ::testing::Values(32, 64, 96, 128, 256),
                         [](const auto& dim) {
                           return std::to_string(dim.param);
                         });

}  // namespace
}  // namespace specinfer::cpu

#endif  // defined(__x86_64__)
