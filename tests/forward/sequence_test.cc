#include "src/forward/sequence.h"

#include "gtest/gtest.h"

#include "tests/session/tiny_models.h"

namespace specinfer {
namespace {

CacheLayout Layout(int32_t window) {
  Architecture architecture;
  architecture.kv_heads = 1;
  architecture.head_dim = 8;
  architecture.layers = {{.window = 0}, {.window = window}};
  return MakeCacheLayout(architecture);
}

void Advance(Sequence& sequence, int32_t num_tokens) {
  while (num_tokens > 0) {
    const int32_t step = std::min(num_tokens, 32);
    ASSERT_TRUE(sequence.Prepare(step).ok());
    sequence.CommitChain(step);
    num_tokens -= step;
  }
}

TEST(CacheLayout, PutsLayersThatSeeEquallyFarInOneGroup) {
  Architecture architecture;
  architecture.kv_heads = 2;
  architecture.head_dim = 8;
  architecture.layers = {{.window = 16}, {.window = 0}, {.window = 16}};

  const CacheLayout layout = MakeCacheLayout(architecture);

  ASSERT_EQ(layout.groups.size(), 2u);
  EXPECT_EQ(layout.groups[0].num_layers, 2);
  EXPECT_EQ(layout.group_of_layer, (std::vector<int32_t>{0, 1, 0}));
  EXPECT_EQ(layout.layer_offset[2], CacheBytesPerLayer(2, 8));
}

TEST(CacheLayout, CountsBytesAndScalesOfAQ8Cache) {
  Architecture architecture;
  architecture.kv_heads = 2;
  architecture.head_dim = 128;
  architecture.layers = {{}, {}, {}};

  const CacheLayout f16 = MakeCacheLayout(architecture, CacheType::kF16);
  const CacheLayout q8 = MakeCacheLayout(architecture, CacheType::kQ8);

  // Per layer and head 128 keys and 128 values; four scales of a key, one of a
  // value.
  EXPECT_EQ(f16.bytes_per_token(), 3u * 2 * (256 * 2));
  EXPECT_EQ(q8.bytes_per_token(), 3u * 2 * (256 + 5 * 2));
}

TEST(Sequence, LetsGoOfPagesBehindItsWindow) {
  const auto engine = MakeEngine();
  const CacheLayout layout = Layout(/*window=*/64);
  auto sequence = *Sequence::Create(*engine->backend, layout, 2048, 32);

  Advance(*sequence, 1024);

  EXPECT_EQ(sequence->first_page(0), 0);
  EXPECT_GT(sequence->first_page(1), 8);
}

TEST(Sequence, TruncatesShortlyBehindItsWindowButNotFar) {
  const auto engine = MakeEngine();
  const CacheLayout layout = Layout(/*window=*/64);
  auto sequence = *Sequence::Create(*engine->backend, layout, 2048, 32);
  Advance(*sequence, 1024);

  EXPECT_EQ(sequence->Truncate(1000), 1000);
  EXPECT_EQ(sequence->Truncate(300), 0);
}

TEST(Sequence, WritesNoPageThatAForkHoldsToo) {
  const auto engine = MakeEngine();
  const CacheLayout layout = Layout(/*window=*/0);
  auto sequence = *Sequence::Create(*engine->backend, layout, 256, 32);
  Advance(*sequence, 100);
  auto fork = *sequence->Fork();
  const CachePage shared = fork->pages(0)[1];
  EXPECT_EQ(sequence->pages(0)[1].offset, shared.offset);

  ASSERT_TRUE(sequence->Prepare(1).ok());

  EXPECT_NE(sequence->pages(0)[1].offset, shared.offset);
  EXPECT_EQ(sequence->pages(0)[0].offset, fork->pages(0)[0].offset);
}

TEST(Sequence, OutlivesTheOneItWasForkedFrom) {
  const auto engine = MakeEngine();
  const CacheLayout layout = Layout(/*window=*/0);
  auto sequence = *Sequence::Create(*engine->backend, layout, 256, 32);
  Advance(*sequence, 100);
  sequence->pages(0)[0].buffer->host()[sequence->pages(0)[0].offset] = 77;
  auto fork = *sequence->Fork();

  sequence.reset();

  EXPECT_EQ(fork->pages(0)[0].buffer->host()[fork->pages(0)[0].offset], 77);
}

TEST(Sequence, FindsRoomWhenAForkKeepsAllItsPages) {
  const auto engine = MakeEngine();
  const CacheLayout layout = Layout(/*window=*/0);
  auto sequence = *Sequence::Create(*engine->backend, layout, 256, 32);
  Advance(*sequence, 256);
  auto fork = *sequence->Fork();

  sequence->Truncate(0);
  Advance(*sequence, 256);

  EXPECT_EQ(sequence->num_committed(), 256);
}

TEST(Sequence, GivesItsMemoryBack) {
  const auto engine = MakeEngine();
  const CacheLayout layout = Layout(/*window=*/64);
  const uint64_t used_before = engine->memory->used_bytes();
  {
    auto sequence = *Sequence::Create(*engine->backend, layout, 512, 32);
    Advance(*sequence, 300);
    EXPECT_GT(engine->memory->used_bytes(), used_before);
  }
  EXPECT_EQ(engine->memory->used_bytes(), used_before);
}

TEST(Sequence, ReleasedGivesItsMemoryBackAndStartsAgain) {
  const auto engine = MakeEngine();
  const CacheLayout layout = Layout(/*window=*/64);
  auto sequence = *Sequence::Create(*engine->backend, layout, 512, 32);
  const uint64_t used_before = engine->memory->used_bytes();
  Advance(*sequence, 300);

  EXPECT_TRUE(sequence->Release());
  EXPECT_EQ(engine->memory->used_bytes(), used_before);
  EXPECT_EQ(sequence->num_committed(), 0);
  EXPECT_FALSE(sequence->Release());
  Advance(*sequence, 300);
  EXPECT_EQ(sequence->num_committed(), 300);
}

TEST(Sequence, ReleasedLeavesAForkItsPages) {
  const auto engine = MakeEngine();
  const CacheLayout layout = Layout(/*window=*/0);
  auto sequence = *Sequence::Create(*engine->backend, layout, 512, 32);
  Advance(*sequence, 300);
  auto fork = *sequence->Fork();

  sequence->Release();
  Advance(*fork, 100);

  EXPECT_EQ(fork->num_committed(), 400);
  EXPECT_EQ(fork->first_page(0), 0);
}

// Two groups: a pass of 64 nodes takes the two pages that there is memory for,
// one of 180 would take four.
TEST(Sequence, WithoutMemoryForALargePassHasItForASmallOne) {
  const CacheLayout layout = Layout(/*window=*/512);
  EngineOptions options;
  options.memory_budget_bytes = uint64_t{16} << 20;
  const std::unique_ptr<Engine> engine = *CreateEngine(std::move(options));
  auto sequence = *Sequence::Create(*engine->backend, layout, 512, 192);
  Advance(*sequence, 10);
  const uint64_t page_bytes = layout.groups[0].page_bytes;
  const Block rest = *engine->memory->Allocate(
      options.memory_budget_bytes - engine->memory->used_bytes() -
          2 * page_bytes,
      "the rest");

  EXPECT_TRUE(absl::IsResourceExhausted(sequence->Prepare(180)));
  EXPECT_TRUE(sequence->Prepare(64).ok());
}

}  // namespace
}  // namespace specinfer
