#include <vector>

#include "gtest/gtest.h"

#include "tests/backend/machine.h"
#include "tests/backend/test_cache.h"

namespace specinfer::testing {
namespace {

constexpr int kSlots = 140;
constexpr int kKvHeads = 2;
constexpr int kHeadDim = 20;
constexpr int kLayers = 3;

// A number that tells slot, layer, head and dimension apart.
uint16_t Mark(int slot, int layer, int head, int d, bool is_key) {
  return static_cast<uint16_t>(((slot * kLayers + layer) * kKvHeads + head) *
                                   kHeadDim +
                               d + (is_key ? 0 : 30000));
}

class MoveCacheSlots : public ::testing::Test {
 protected:
  MoveCacheSlots()
      : machine_("cpu", 2),
        cache_(machine_, kSlots, kKvHeads, kHeadDim, kLayers) {
    for (int slot = 0; slot < kSlots; ++slot)
      ForEach(slot, slot, /*writes=*/true);
  }

  void Move(const std::vector<int32_t>& from, const std::vector<int32_t>& to) {
    MoveCacheSlotsArgs args;
    args.pages = cache_.pages();
    args.from = from;
    args.to = to;
    args.num_layers = kLayers;
    args.kv_heads = kKvHeads;
    args.head_dim = kHeadDim;
    ASSERT_TRUE(
        machine_
            .Run([&](Stream& stream) { return stream.MoveCacheSlots(args); })
            .ok());
  }

  // Writes or checks the marks of `marked_slot` in `slot`; returns how many
  // differ.
  int ForEach(int slot, int marked_slot, bool writes) {
    int num_different = 0;
    for (int i = 0; i < kLayers * kKvHeads * kHeadDim; ++i) {
      const int layer = i / (kKvHeads * kHeadDim),
                head = i / kHeadDim % kKvHeads, d = i % kHeadDim;
      uint16_t* key = cache_.Key(slot, head, d, layer);
      uint16_t* value = cache_.Value(slot, head, d, layer);
      if (writes) {
        *key = Mark(marked_slot, layer, head, d, true);
        *value = Mark(marked_slot, layer, head, d, false);
      }
      num_different += *key != Mark(marked_slot, layer, head, d, true) ? 1 : 0;
      num_different +=
          *value != Mark(marked_slot, layer, head, d, false) ? 1 : 0;
    }
    return num_different;
  }
  int CountDifferent(int slot, int marked_slot) {
    return ForEach(slot, marked_slot, /*writes=*/false);
  }

  Machine machine_;
  TestCache cache_;
};

TEST_F(MoveCacheSlots, MovesAllLayersAndHeadsAcrossPages) {
  Move({70, 130}, {61, 62});

  EXPECT_EQ(CountDifferent(61, 70), 0);
  EXPECT_EQ(CountDifferent(62, 130), 0);
}

TEST_F(MoveCacheSlots, LeavesOtherSlotsAlone) {
  Move({70, 130}, {61, 62});

  for (int slot = 0; slot < kSlots; ++slot) {
    if (slot != 61 && slot != 62) {
      ASSERT_EQ(CountDifferent(slot, slot), 0) << slot;
    }
  }
}

TEST_F(MoveCacheSlots, ReadsASlotBeforeALaterMoveOverwritesIt) {
  Move({60, 62, 64, 66}, {60, 61, 62, 63});

  EXPECT_EQ(CountDifferent(60, 60), 0);
  EXPECT_EQ(CountDifferent(61, 62), 0);
  EXPECT_EQ(CountDifferent(62, 64), 0);
  EXPECT_EQ(CountDifferent(63, 66), 0);
}

TEST_F(MoveCacheSlots, MovesCodesAndScales) {
  TestCache moved(machine_, kSlots, kKvHeads, kHeadDim, kLayers,
                  CacheType::kQ8);
  TestCache expected(machine_, kSlots, kKvHeads, kHeadDim, kLayers,
                     CacheType::kQ8);
  const std::vector<int32_t> from = {60, 62, 70, 130}, to = {60, 61, 62, 63};
  for (int layer = 0; layer < kLayers; ++layer) {
    const uint64_t seed = static_cast<uint64_t>(1000 * layer);
    for (int slot = 0; slot < kSlots; ++slot) {
      moved.WriteToken(slot, seed + static_cast<uint64_t>(slot), 2.0f, layer);
      expected.WriteToken(slot, seed + static_cast<uint64_t>(slot), 2.0f,
                          layer);
    }
    for (size_t i = 0; i < from.size(); ++i) {
      expected.WriteToken(to[i], seed + static_cast<uint64_t>(from[i]), 2.0f,
                          layer);
    }
  }
  MoveCacheSlotsArgs args;
  args.pages = moved.pages();
  args.from = from;
  args.to = to;
  args.cache_type = CacheType::kQ8;
  args.num_layers = kLayers;
  args.kv_heads = kKvHeads;
  args.head_dim = kHeadDim;

  const absl::Status status =
      machine_.Run([&](Stream& stream) { return stream.MoveCacheSlots(args); });

  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(moved.Contents(), expected.Contents());
}

TEST_F(MoveCacheSlots, AcceptsNoMoves) {
  Move({}, {});

  EXPECT_EQ(CountDifferent(5, 5), 0);
}

}  // namespace
}  // namespace specinfer::testing
