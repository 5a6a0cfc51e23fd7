#include "src/backend/engine.h"

#include <iterator>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/backend/tensor.h"

namespace specinfer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class SerialExecutor final : public Executor {
 public:
  int num_workers() const override { return 1; }
  void Run(int num_tasks, absl::FunctionRef<void(int task)> task) override {
    for (int i = 0; i < num_tasks; ++i) task(i);
  }
};

TEST(Engine, PicksTheBestCpuBackend) {
  const auto engine = CreateEngine({});

  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_THAT(std::string((*engine)->backend->name()), StartsWith("cpu-"));
}

TEST(Engine, ForcesTheReference) {
  EngineOptions options;
  options.backend = "cpu-reference";

  const auto engine = CreateEngine(std::move(options));

  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ((*engine)->backend->name(), "cpu-reference");
}

TEST(Engine, BelievesPassesOfTheSameRowsOnEveryBackend) {
  constexpr int32_t kRows[] = {1, 2, 4, 8, 16, 32, 64};
  for (const char* name :
       {"cpu-reference", "cpu-avx2", "cpu-avx512", "cpu-amx", "cpu-neon"}) {
    EngineOptions options;
    options.backend = name;
    const auto engine = CreateEngine(std::move(options));
    if (!engine.ok()) continue;  // not on this machine

    const auto ratios = (*engine)->backend->typical_pass_ratios();

    ASSERT_EQ(ratios.size(), std::size(kRows)) << name;
    EXPECT_EQ(ratios[0].ratio, 1.0) << name;
    for (size_t i = 0; i < ratios.size(); ++i) {
      EXPECT_EQ(ratios[i].rows, kRows[i]) << name;
      // No pass is faster than one of fewer rows, or slower than row by row.
      EXPECT_GT(ratios[i].ratio, i == 0 ? 0.0 : ratios[i - 1].ratio) << name;
      EXPECT_LE(ratios[i].ratio, kRows[i]) << name;
    }
  }
}

TEST(Engine, NamesTheBackendsItHas) {
  for (const char* name : {"", "gpu", "cpu-", "cpu-avx1024", "cpux", "CPU"}) {
    EngineOptions options;
    options.backend = name;

    const auto engine = CreateEngine(std::move(options));

    ASSERT_FALSE(engine.ok()) << name;
    EXPECT_TRUE(absl::IsNotFound(engine.status())) << name;
    EXPECT_THAT(std::string(engine.status().message()),
                AllOf(HasSubstr("it has cpu"), HasSubstr("cpu-reference")));
  }
}

TEST(Engine, UsesTheHostsExecutor) {
  EngineOptions options;
  options.executor = std::make_unique<SerialExecutor>();

  const auto engine = CreateEngine(std::move(options));

  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ((*engine)->executor->num_workers(), 1);
}

TEST(Engine, HoldsItsBuffersToTheBudget) {
  EngineOptions options;
  options.memory_budget_bytes = 100000;
  const auto engine = CreateEngine(std::move(options));
  ASSERT_TRUE(engine.ok());
  Backend& backend = *(*engine)->backend;

  const auto first = backend.Allocate(60000, "first");
  const auto second = backend.Allocate(60000, "second");

  EXPECT_TRUE(first.ok());
  EXPECT_TRUE(absl::IsResourceExhausted(second.status()));
}

TEST(Engine, ChargesReservedMemoryWhenItIsCommitted) {
  EngineOptions options;
  options.memory_budget_bytes = 100000;
  const auto engine = CreateEngine(std::move(options));
  ASSERT_TRUE(engine.ok());
  Backend& backend = *(*engine)->backend;

  const auto cache = backend.Reserve(1 << 20, "cache");
  ASSERT_TRUE(cache.ok()) << cache.status();
  const absl::Status small = backend.Commit(**cache, 90000);
  const absl::Status large = backend.Commit(**cache, 90000);

  EXPECT_TRUE(small.ok()) << small;
  EXPECT_TRUE(absl::IsResourceExhausted(large));
}

TEST(DType, IsUnknownForAHostileNumber) {
  EXPECT_EQ(FindDTypeTraits(4), nullptr);
  EXPECT_EQ(FindDTypeTraits(31), nullptr);
  EXPECT_EQ(FindDTypeTraits(0xffffffffu), nullptr);
  EXPECT_EQ(FindDTypeTraits(256), nullptr);
}

TEST(DType, HasTheBlocksOfGguf) {
  EXPECT_EQ(GetDTypeTraits(DType::kQ4_K).block_bytes, 144);
  EXPECT_EQ(GetDTypeTraits(DType::kQ6_K).block_bytes, 210);
  EXPECT_EQ(GetDTypeTraits(DType::kQ8_0).block_elements, 32);
  EXPECT_EQ(GetDTypeTraits(DType::kBF16).name, "BF16");
}

}  // namespace
}  // namespace specinfer
