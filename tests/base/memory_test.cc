#include "src/base/memory.h"

#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace specinfer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A host's allocator that counts, fills with garbage and can refuse.
struct HostAllocator {
  static void* Allocate(void* user_data, size_t num_bytes, size_t alignment) {
    auto* host = static_cast<HostAllocator*>(user_data);
    if (host->refuses) return nullptr;
    void* block = std::aligned_alloc(
        alignment, (num_bytes + alignment - 1) / alignment * alignment);
    std::memset(block, 0xab, num_bytes);
    ++host->num_blocks;
    host->num_bytes += num_bytes;
    return block;
  }
  static void Release(void* user_data, void* block, size_t num_bytes, size_t) {
    auto* host = static_cast<HostAllocator*>(user_data);
    --host->num_blocks;
    host->num_bytes -= num_bytes;
    std::free(block);
  }
  MemoryHooks hooks() { return {&Allocate, &Release, this}; }

  bool refuses = false;
  int num_blocks = 0;
  size_t num_bytes = 0;
};

bool IsZero(const Block& block) {
  for (size_t i = 0; i < block.size(); ++i) {
    if (block.data()[i] != 0) return false;
  }
  return true;
}

TEST(Memory, GivesZeroedAlignedBlocks) {
  Memory memory(0);

  const auto block = memory.Allocate(100000, "weights");

  ASSERT_TRUE(block.ok());
  EXPECT_EQ(block->size(), 100000u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block->data()) % 4096, 0u);
  EXPECT_TRUE(IsZero(*block));
}

TEST(Memory, RefusesWhatTheBudgetDoesNotHold) {
  Memory memory(1000);
  const auto first = memory.Allocate(600, "weights");

  const auto second = memory.Allocate(401, "key-value cache");

  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(absl::IsResourceExhausted(second.status()));
  EXPECT_THAT(std::string(second.status().message()),
              AllOf(HasSubstr("key-value cache"), HasSubstr("401"),
                    HasSubstr("600"), HasSubstr("1000")));
  EXPECT_EQ(memory.used_bytes(), 600u);
}

TEST(Memory, GivesAllOfTheBudget) {
  Memory memory(1000);

  const auto block = memory.Allocate(1000, "weights");

  EXPECT_TRUE(block.ok());
  EXPECT_EQ(memory.used_bytes(), 1000u);
}

TEST(Memory, DoesNotOverflowOnHugeRequests) {
  Memory memory(1000);
  const auto small = memory.Allocate(10, "small");

  const auto block = memory.Allocate(SIZE_MAX - 5, "hostile");

  EXPECT_TRUE(absl::IsResourceExhausted(block.status()));
  EXPECT_THAT(std::string(block.status().message()), HasSubstr("budget"));
  EXPECT_EQ(memory.used_bytes(), 10u);
}

TEST(Memory, RefusesMoreThanTheSystemHas) {
  Memory memory(0);

  const auto block = memory.Allocate(size_t{1} << 62, "hostile");
  const auto reserved = memory.Reserve(size_t{1} << 62, "hostile");

  EXPECT_TRUE(absl::IsResourceExhausted(block.status()));
  EXPECT_TRUE(absl::IsResourceExhausted(reserved.status()));
  EXPECT_EQ(memory.used_bytes(), 0u);
}

TEST(Memory, TakesBackTheChargeOfADeadBlock) {
  Memory memory(1000);
  { const auto block = memory.Allocate(1000, "weights"); }

  EXPECT_EQ(memory.used_bytes(), 0u);
  EXPECT_EQ(memory.peak_bytes(), 1000u);
}

TEST(Memory, ChargesAMovedBlockOnce) {
  Memory memory(1000);
  Block kept;
  {
    auto block = memory.Allocate(300, "a");
    auto other = memory.Allocate(200, "b");
    ASSERT_TRUE(block.ok() && other.ok());
    kept = std::move(*block);
    kept = std::move(*other);
  }

  EXPECT_EQ(kept.size(), 200u);
  EXPECT_EQ(memory.used_bytes(), 200u);
}

TEST(Memory, GivesAnEmptyBlockForNoBytes) {
  Memory memory(10);

  const auto block = memory.Allocate(0, "nothing");

  ASSERT_TRUE(block.ok());
  EXPECT_TRUE(block->empty());
}

TEST(Memory, ChargesReservedBytesAsTheyAreCommitted) {
  Memory memory(1000);
  auto block = memory.Reserve(size_t{1} << 30, "key-value cache");
  ASSERT_TRUE(block.ok()) << block.status();
  EXPECT_EQ(memory.used_bytes(), 0u);

  const absl::Status first = block->Commit(700);
  const absl::Status second = block->Commit(301);

  EXPECT_TRUE(first.ok());
  EXPECT_TRUE(absl::IsResourceExhausted(second));
  EXPECT_EQ(memory.used_bytes(), 700u);
  block->Reset();
  EXPECT_EQ(memory.used_bytes(), 0u);
}

TEST(Memory, ChargesNoMoreThanWasReserved) {
  Memory memory(0);
  auto block = memory.Reserve(5000, "key-value cache");
  ASSERT_TRUE(block.ok());

  EXPECT_TRUE(block->Commit(4000).ok());
  EXPECT_TRUE(block->Commit(4000).ok());

  EXPECT_EQ(memory.used_bytes(), 5000u);
}

TEST(Memory, UsesTheHostsAllocatorAndClearsItsBlocks) {
  HostAllocator host;
  Memory memory(0, host.hooks());
  {
    const auto block = memory.Allocate(5000, "weights");

    ASSERT_TRUE(block.ok());
    EXPECT_TRUE(IsZero(*block));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block->data()) % 64, 0u);
    EXPECT_EQ(host.num_bytes, 5000u);
  }
  EXPECT_EQ(host.num_blocks, 0);
  EXPECT_EQ(host.num_bytes, 0u);
}

TEST(Memory, ChargesHostBlocksWhenTheyAreReserved) {
  HostAllocator host;
  Memory memory(10000, host.hooks());

  auto block = memory.Reserve(6000, "key-value cache");

  ASSERT_TRUE(block.ok());
  EXPECT_EQ(memory.used_bytes(), 6000u);
  EXPECT_TRUE(block->Commit(6000).ok());
  EXPECT_EQ(memory.used_bytes(), 6000u);
}

TEST(Memory, ReportsAHostThatHasNone) {
  HostAllocator host;
  host.refuses = true;
  Memory memory(0, host.hooks());

  const auto block = memory.Allocate(5000, "weights");

  EXPECT_TRUE(absl::IsResourceExhausted(block.status()));
  EXPECT_THAT(std::string(block.status().message()),
              AllOf(HasSubstr("weights"), HasSubstr("host")));
  EXPECT_EQ(memory.used_bytes(), 0u);
}

TEST(Memory, NeverExceedsTheBudgetFromSeveralThreads) {
  constexpr uint64_t kBudget = 50000;
  Memory memory(kBudget);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        const auto first = memory.Allocate(9000, "a");
        const auto second = memory.Allocate(7000, "b");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_LE(memory.peak_bytes(), kBudget);
  EXPECT_EQ(memory.used_bytes(), 0u);
}

}  // namespace
}  // namespace specinfer
