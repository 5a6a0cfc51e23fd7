// What the reference backend computes, as hashes of its bits on x86-64. Other
// tests compare every kernel with the reference of the same build; these see
// that processors and compilers agree about the reference.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "src/base/scalar_math.h"
#include "tests/backend/stream_cases.h"
#include "tests/backend/weight_cases.h"
#include "tests/base/bit_hash.h"

namespace specinfer {
namespace {

TEST(CanonicalBits, OfExpLogSineAndCosine) {
  cpu::Random random(1);
  BitHash hash;
  for (int i = 0; i < 20000; ++i) {
    const float x = random.Uniform() * 95.0f;
    const double angle = static_cast<double>(random.Uniform()) * 1e5;
    const SinCos turned = ComputeSinCos(angle);
    hash.Add(std::vector<float>{Exp(x), Log(x * x + 1e-30f), turned.sin,
                                turned.cos});
  }

  EXPECT_EQ(hash.value(), 0xa36c2bab2bfd8367u) << std::hex << hash.value();
}

TEST(CanonicalBits, OfLinearLayersOfEveryType) {
  constexpr int64_t kOutputs = 33, kInputs = 512, kRows = 3;
  BitHash hash;
  for (const DType dtype : cpu::kWeightTypes) {
    cpu::Workbench bench(cpu::Isa::kReference, 1,
                         {.max_rows = kRows, .max_inputs = kInputs});
    const auto weight =
        bench.Pack(dtype, kOutputs, kInputs,
                   cpu::RandomWeightBytes(dtype, kOutputs, kInputs,
                                          cpu::WeightKind::kSane, 1));
    hash.Add(
        bench.Linear(*weight, kRows, cpu::RandomFloats(kRows * kInputs, 2)));
  }

  EXPECT_EQ(hash.value(), 0x6eb50fa9d6c93b28u) << std::hex << hash.value();
}

}  // namespace
}  // namespace specinfer
