// From an audio thread to a listener: order, whole frames, pauses and the end.
#include "src/speech/audio_input.h"

#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "src/base/memory.h"

namespace specinfer {
namespace {

using Next = AudioInput::Next;

class AudioInputTest : public ::testing::Test {
 protected:
  AudioInput Make(int num_channels, int num_frames) {
    return *AudioInput::Create({.sample_rate = 1, .num_channels = num_channels},
                               num_frames, memory_);
  }
  // The samples that come next, and what stops them.
  static std::pair<std::vector<float>, Next> PopAll(AudioInput& input) {
    std::vector<float> all, some(4);
    while (true) {
      size_t count = 0;
      const Next next = input.Pop(absl::MakeSpan(some), &count);
      if (next != Next::kSamples) return {all, next};
      all.insert(all.end(), some.begin(), some.begin() + count);
    }
  }
  static std::vector<float> Floats(std::vector<float> samples) {
    return samples;
  }

  Memory memory_{0};
};

TEST_F(AudioInputTest, TellsTheEndAfterTheSamples) {
  AudioInput input = Make(1, 16);
  input.Push({1, 2, 3, 4, 5});
  EXPECT_EQ(PopAll(input), std::pair(Floats({1, 2, 3, 4, 5}), Next::kNothing));
  input.Push({6});
  input.Finish();
  EXPECT_EQ(PopAll(input), std::pair(Floats({6}), Next::kEnd));
  EXPECT_EQ(input.position(), 6u);
}

TEST_F(AudioInputTest, TakesWholeFrames) {
  AudioInput input = Make(3, 5);  // a ring of 16
  const std::vector<float> samples(17, 1.0f);
  EXPECT_EQ(input.Push(samples), 15u);
  EXPECT_EQ(input.Push({1, 1, 1}), 0u);
  EXPECT_EQ(input.Push({1, 1}), 0u);
}

TEST_F(AudioInputTest, LeavesOutWhatIsPushedInAPause) {
  AudioInput input = Make(1, 16);
  input.Push({1, 2});
  input.Pause();
  EXPECT_EQ(input.Push({3, 4, 5}), 3u);
  input.Resume();
  input.Push({6, 7});

  EXPECT_EQ(PopAll(input), std::pair(Floats({1, 2}), Next::kPause));
  EXPECT_EQ(input.position(), 2u);
  size_t count = 0;
  float samples[4];
  EXPECT_EQ(input.Pop(samples, &count), Next::kSamples);
  EXPECT_EQ(count, 2u);
  EXPECT_EQ(samples[0], 6);
  EXPECT_EQ(input.position(), 7u) << "the pause has taken its time";
  EXPECT_EQ(PopAll(input).second, Next::kNothing);
}

TEST_F(AudioInputTest, TellsAPauseOnceThoughNobodyPushes) {
  AudioInput input = Make(1, 16);
  input.Push({1});
  input.Pause();
  EXPECT_EQ(PopAll(input), std::pair(Floats({1}), Next::kPause));
  EXPECT_EQ(PopAll(input).second, Next::kNothing);
  input.Push({2});
  EXPECT_EQ(PopAll(input).second, Next::kNothing) << "it is the same pause";
  input.Resume();
  input.Push({3});
  EXPECT_EQ(PopAll(input), std::pair(Floats({3}), Next::kNothing));
  input.Pause();
  EXPECT_EQ(PopAll(input).second, Next::kPause);
}

TEST_F(AudioInputTest, CountsPausesThatNobodyNoticed) {
  AudioInput input = Make(1, 16);
  input.Push({1});
  input.Pause();
  input.Push({2, 3});
  input.Resume();
  input.Push({4});
  input.Pause();
  input.Push({5, 6, 7});
  input.Resume();
  input.Push({8});

  EXPECT_EQ(PopAll(input), std::pair(Floats({1, 4}), Next::kPause));
  EXPECT_EQ(PopAll(input), std::pair(Floats({8}), Next::kNothing));
  EXPECT_EQ(input.position(), 8u);
}

TEST_F(AudioInputTest, PausingTwiceIsPausingOnce) {
  AudioInput input = Make(1, 16);
  input.Pause();
  input.Pause();
  input.Resume();
  input.Push({1});
  EXPECT_EQ(PopAll(input), std::pair(Floats({1}), Next::kNothing));
}

TEST_F(AudioInputTest, LosesNothingBetweenThreads) {
  AudioInput input = Make(2, 64);
  constexpr int kCount = 40000;
  std::thread pusher([&] {
    std::vector<float> samples;
    for (int next = 0; next < kCount;) {
      samples.clear();
      for (int i = next; i < std::min(next + 14, kCount); ++i)
        samples.push_back(static_cast<float>(i));
      next += static_cast<int>(input.Push(samples));
    }
    input.Finish();
  });
  std::vector<float> some(6);
  int wanted = 0;
  size_t count = 0;
  for (Next next = Next::kNothing; next != Next::kEnd;) {
    next = input.Pop(absl::MakeSpan(some), &count);
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(some[i], static_cast<float>(wanted));
      ++wanted;
    }
  }
  pusher.join();
  EXPECT_EQ(wanted, kCount);
}

}  // namespace
}  // namespace specinfer
