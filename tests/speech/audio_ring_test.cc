// The ring between an audio thread and a worker.
#include "src/speech/audio_ring.h"

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/base/memory.h"

namespace specinfer {
namespace {

using ::testing::ElementsAre;

TEST(AudioRing, GivesSamplesInOrder) {
  Memory memory(0);
  AudioRing ring = *AudioRing::Create(8, memory);
  std::vector<float> out(3);

  EXPECT_EQ(ring.Push({1, 2, 3, 4}), 4u);
  EXPECT_EQ(ring.num_samples(), 4u);
  EXPECT_EQ(ring.Pop(absl::MakeSpan(out)), 3u);

  EXPECT_THAT(out, ElementsAre(1, 2, 3));
  EXPECT_EQ(ring.Pop(absl::MakeSpan(out)), 1u);
  EXPECT_EQ(out[0], 4);
  EXPECT_EQ(ring.Pop(absl::MakeSpan(out)), 0u);
}

TEST(AudioRing, TakesOnlyWhatFits) {
  Memory memory(0);
  AudioRing ring = *AudioRing::Create(8, memory);
  std::vector<float> out(8);

  EXPECT_EQ(ring.Push({1, 2, 3, 4, 5}), 5u);
  EXPECT_EQ(ring.Push({6, 7, 8, 9, 10}), 3u);
  EXPECT_EQ(ring.Push({9}), 0u);
  EXPECT_EQ(ring.Pop(absl::MakeSpan(out)), 8u);

  EXPECT_THAT(out, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
  EXPECT_EQ(ring.Push({9}), 1u);
}

TEST(AudioRing, GoesRoundItsEnd) {
  Memory memory(0);
  AudioRing ring = *AudioRing::Create(8, memory);
  std::vector<float> out(5);
  float next = 0.0f, wanted = 0.0f;

  for (int round = 0; round < 100; ++round) {
    std::vector<float> samples(5);
    for (float& sample : samples) sample = next++;
    ASSERT_EQ(ring.Push(samples), 5u);
    ASSERT_EQ(ring.Pop(absl::MakeSpan(out)), 5u);
    for (const float sample : out) ASSERT_EQ(sample, wanted++);
  }
}

TEST(AudioRing, HasRoomForWhatIsAsked) {
  Memory memory(0);

  EXPECT_GE(AudioRing::Create(1000, memory)->capacity(), 1000u);
  EXPECT_EQ(AudioRing::Create(1, memory)->Push({1, 2}), 1u);
}

TEST(AudioRing, RefusesSizesThatAreNone) {
  Memory memory(0), small(4096);

  EXPECT_EQ(AudioRing::Create(0, memory).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(AudioRing::Create(~size_t{0}, memory).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(AudioRing::Create(100000, small).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(AudioRingThreads, LoseNothing) {
  constexpr int kCount = 200000;
  Memory memory(0);
  AudioRing ring = *AudioRing::Create(300, memory);
  std::thread audio([&] {
    std::minstd_rand random(1);
    std::vector<float> samples;
    int next = 0;
    while (next < kCount) {
      samples.resize(std::min<int>(random() % 200, kCount - next));
      for (size_t i = 0; i < samples.size(); ++i)
        samples[i] = static_cast<float>(next + static_cast<int>(i));
      const size_t taken = ring.Push(samples);
      next += static_cast<int>(taken);
      if (taken < samples.size()) std::this_thread::yield();
    }
  });

  std::minstd_rand random(2);
  std::vector<float> out;
  int wanted = 0, num_wrong = 0;
  while (wanted < kCount) {
    out.resize(1 + random() % 200);
    const size_t count = ring.Pop(absl::MakeSpan(out));
    for (size_t i = 0; i < count; ++i)
      num_wrong += out[i] != static_cast<float>(wanted++) ? 1 : 0;
    if (count == 0) std::this_thread::yield();
  }
  audio.join();

  EXPECT_EQ(num_wrong, 0);
  EXPECT_EQ(ring.num_samples(), 0u);
}

}  // namespace
}  // namespace specinfer
