#include "src/base/cpu_features.h"

#include "gtest/gtest.h"

namespace specinfer {
namespace {

TEST(CpuFeatures, NameTheProcessor) {
  EXPECT_FALSE(DetectCpuFeatures().name.empty());
}

TEST(CpuFeatures, BuildOnEachOther) {
  const CpuFeatures features = DetectCpuFeatures();

  EXPECT_TRUE(features.avx2 || !features.avx512);
  EXPECT_TRUE(features.avx512 || !features.amx);
  EXPECT_TRUE(features.dotprod || !features.i8mm);
}

TEST(CpuFeatures, AreTheSameWhenAskedAgain) {
  const CpuFeatures first = DetectCpuFeatures();
  const CpuFeatures second = DetectCpuFeatures();

  EXPECT_EQ(first.avx512, second.avx512);
  EXPECT_EQ(first.amx, second.amx);
}

}  // namespace
}  // namespace specinfer
