// Audio of other rates and channels: tones stay what they are, by their power
// at their own frequency.
#include "src/speech/resampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/base/memory.h"
#include "tests/speech/recordings.h"

namespace specinfer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// `seconds` of a tone, the same in every channel.
std::vector<float> Tone(double hz, const AudioFormat& format, double seconds,
                        double height = 0.5) {
  std::vector<float> samples;
  const int num_frames = static_cast<int>(seconds * format.sample_rate);
  for (int i = 0; i < num_frames; ++i) {
    const double value =
        height * std::sin(2.0 * std::numbers::pi * hz * i / format.sample_rate);
    samples.insert(samples.end(), format.num_channels,
                   static_cast<float>(value));
  }
  return samples;
}

// The height of the tone of `hz` in the middle of `samples`, 16 kHz.
double HeightAt(double hz, const std::vector<float>& samples) {
  double re = 0.0, im = 0.0;
  const size_t begin = samples.size() / 4, end = samples.size() * 3 / 4;
  for (size_t i = begin; i < end; ++i) {
    const double angle =
        2.0 * std::numbers::pi * hz * static_cast<double>(i) / 16000;
    re += samples[i] * std::cos(angle);
    im += samples[i] * std::sin(angle);
  }
  return 2.0 * std::hypot(re, im) / static_cast<double>(end - begin);
}

// Pushes pieces of `piece` frames (0: random) with room for `room` samples.
template <typename Sample>
std::vector<float> Resample(Resampler& resampler, int num_channels,
                            const std::vector<Sample>& samples,
                            size_t piece = 4096, size_t room = 4096) {
  std::vector<float> found, out(room);
  std::minstd_rand random(4);
  for (size_t begin = 0; begin < samples.size();) {
    const size_t frames = piece > 0 ? piece : random() % 700;
    const size_t count =
        std::min(frames * num_channels, samples.size() - begin);
    const auto progress =
        resampler.Push(absl::MakeConstSpan(samples).subspan(begin, count),
                       absl::MakeSpan(out));
    EXPECT_TRUE(progress.ok()) << progress.status();
    if (!progress.ok()) return {};
    found.insert(found.end(), out.begin(),
                 out.begin() + progress->num_samples_given);
    begin += progress->num_frames_taken * num_channels;
  }
  while (true) {
    const auto rest = resampler.Flush(absl::MakeSpan(out));
    EXPECT_TRUE(rest.ok()) << rest.status();
    if (!rest.ok() || *rest == 0) return found;
    found.insert(found.end(), out.begin(), out.begin() + *rest);
  }
}

struct RateCase {
  const char* name;
  AudioFormat format;
};

class ResamplerRates : public testing::TestWithParam<RateCase> {
 protected:
  void SetUp() override {
    auto resampler = Resampler::Create(GetParam().format, memory_);
    if (absl::IsUnimplemented(resampler.status()))
      GTEST_SKIP() << "this build has no soxr";
    ASSERT_TRUE(resampler.ok()) << resampler.status();
    resampler_.emplace(*std::move(resampler));
  }
  std::vector<float> Run(const std::vector<float>& samples, size_t piece = 4096,
                         size_t room = 4096) {
    return Resample(*resampler_, GetParam().format.num_channels, samples, piece,
                    room);
  }

  Memory memory_{0};
  std::optional<Resampler> resampler_;
};

TEST_P(ResamplerRates, KeepTonesAndLength) {
  const double kHz = 1000.0;
  const auto found = Run(Tone(kHz, GetParam().format, 1.0));

  EXPECT_NEAR(static_cast<double>(found.size()), 16000, 1);
  EXPECT_NEAR(HeightAt(kHz, found), 0.5, 1e-3);
  // Aligned with the input: the filter's delay is not heard.
  for (size_t i = 4000; i < 12000; ++i) {
    ASSERT_NEAR(found[i],
                0.5 * std::sin(2.0 * std::numbers::pi * kHz *
                               static_cast<double>(i) / 16000),
                2e-3)
        << i;
  }
}

TEST_P(ResamplerRates, GiveTheSameBitsForEveryCut) {
  const auto samples = MakeNoise(
      static_cast<size_t>(GetParam().format.num_channels) * 30000, 1.0);
  const auto whole = Run(samples, 30000, 200000);
  EXPECT_GT(whole.size(), 1000u);

  for (const size_t piece : {1, 7, 160, 0}) {
    resampler_->Reset();
    EXPECT_EQ(Run(samples, piece, 512), whole) << piece;
  }
  resampler_->Reset();
  EXPECT_EQ(Run(samples, 5000, 3), whole);
}

TEST_P(ResamplerRates, TakeNothingWithoutRoom) {
  const auto progress =
      resampler_->Push(Tone(1000.0, GetParam().format, 0.1), {});

  ASSERT_TRUE(progress.ok());
  EXPECT_EQ(progress->num_frames_taken, 0u);
}

TEST_P(ResamplerRates, OfNothingIsNothing) { EXPECT_TRUE(Run({}).empty()); }

INSTANTIATE_TEST_SUITE_P(
    Formats, ResamplerRates,
    testing::Values(RateCase{"Mono4000", {4000, 1}},
                    RateCase{"Mono8000", {8000, 1}},
                    RateCase{"Mono16000", {16000, 1}},
                    RateCase{"EightChannels16000", {16000, 8}},
                    RateCase{"Stereo44100", {44100, 2}},
                    RateCase{"EightChannels48000", {48000, 8}},
                    RateCase{"Mono96000", {96000, 1}},
                    RateCase{"Channels384000", {384000, 32}}),
    [](const auto& test) { return test.param.name; });

TEST(Resampler, LeavesOutWhatSixteenKilohertzCannotHold) {
  Memory memory(0);
  for (const int rate : {44100, 48000, 96000}) {
    auto resampler = Resampler::Create({rate, 1}, memory);
    if (absl::IsUnimplemented(resampler.status()))
      GTEST_SKIP() << "this build has no soxr";

    const auto found = Resample(*resampler, 1, Tone(11000.0, {rate, 1}, 1.0));

    EXPECT_LT(HeightAt(5000.0, found), 1e-4);  // where it would be mirrored
  }
}

TEST(Resampler, TakesTheMeanOfTheChannels) {
  Memory memory(0);
  Resampler resampler = *Resampler::Create({16000, 2}, memory);

  EXPECT_THAT(Resample<float>(resampler, 2, {1.0f, 0.0f, 0.5f, -0.5f}),
              ElementsAre(0.5f, 0.0f));
}

TEST(Resampler, TakesWholeNumbersAsPartsOfTheFullScale) {
  Memory memory(0);
  Resampler resampler = *Resampler::Create({16000, 1}, memory);

  EXPECT_THAT(Resample<int16_t>(resampler, 1, {-32768, 0, 16384}),
              ElementsAre(-1.0f, 0.0f, 0.5f));
}

TEST(Resampler, CountsValuesThatAreNoneAndTakesThemAsSilence) {
  const float kNaN = std::numeric_limits<float>::quiet_NaN();
  const float kInfinity = std::numeric_limits<float>::infinity();
  Memory memory(0);
  Resampler resampler = *Resampler::Create({16000, 1}, memory);

  // Little room: what is refused must not be counted.
  EXPECT_THAT(
      Resample<float>(resampler, 1, {1.0f, kNaN, 3.0f, -kInfinity}, 4, 1),
      ElementsAre(1.0f, 0.0f, 3.0f, 0.0f));
  EXPECT_EQ(resampler.num_invalid(), 2);
}

TEST(Resampler, OneBadSampleIsNotHeardForEver) {
  Memory memory(0);
  auto resampler = Resampler::Create({48000, 1}, memory);
  if (absl::IsUnimplemented(resampler.status()))
    GTEST_SKIP() << "this build has no soxr";
  auto samples = Tone(500.0, {48000, 1}, 0.5);
  samples[100] = std::numeric_limits<float>::quiet_NaN();
  samples[5000] = std::numeric_limits<float>::max();

  const auto found = Resample(*resampler, 1, samples);

  for (const float sample : found) ASSERT_TRUE(std::isfinite(sample));
}

TEST(Resampler, LeavesClippingAsItIs) {
  Memory memory(0);
  Resampler resampler = *Resampler::Create({16000, 1}, memory);

  EXPECT_THAT(Resample<float>(resampler, 1, {3.0f, -7.0f}),
              ElementsAre(3.0f, -7.0f));
}

TEST(Resampler, RefusesFormatsOutsideOfItsLimits) {
  Memory memory(0);
  for (const AudioFormat format :
       {AudioFormat{3999, 1}, AudioFormat{384001, 1}, AudioFormat{0, 1},
        AudioFormat{-48000, 1}, AudioFormat{16000, 0}, AudioFormat{16000, 33},
        AudioFormat{16000, -1}}) {
    const auto status = Resampler::Create(format, memory).status();

    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("can be used"));
  }
}

}  // namespace
}  // namespace specinfer
