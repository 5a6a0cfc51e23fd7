// Whisper's front end against numbers of its definition in double precision
// (testdata/make_log_mel_golden.py), and streams against whole windows.
#include "src/speech/log_mel.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "src/base/memory.h"
#include "src/speech/mel_filters.h"
#include "tests/speech/recordings.h"
#include <nlohmann/json.hpp>

namespace specinfer {
namespace {

using nlohmann::json;

constexpr int kWindowFrames = 3000;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

json Golden() {
  std::ifstream stream(std::string(SPECINFER_TESTDATA) + "/log_mel.json");
  return json::parse(stream, nullptr, /*allow_exceptions=*/false);
}

std::vector<float> Window(const std::vector<float>& samples,
                          int num_frames = kWindowFrames, int num_mels = 80) {
  Memory memory(0);
  auto log_mel = LogMel::Create(num_mels, memory);
  EXPECT_TRUE(log_mel.ok()) << log_mel.status();
  std::vector<float> frames(static_cast<size_t>(num_frames) * num_mels);
  log_mel->ComputeWindow(samples, num_frames, absl::MakeSpan(frames));
  return frames;
}

MelStream MakeStream(Memory& memory, int max_frames = 4000) {
  auto stream = MelStream::Create(80, max_frames, memory);
  EXPECT_TRUE(stream.ok()) << stream.status();
  return *std::move(stream);
}

std::vector<float> Copy(MelStream& stream, int64_t first, int count) {
  std::vector<float> frames(static_cast<size_t>(count) * stream.num_mels());
  stream.CopyWindow(first, count, absl::MakeSpan(frames));
  return frames;
}

struct GoldenCase {
  const char* name;
  const char* signal;
  int num_mels;
};

class LogMelGolden : public testing::TestWithParam<GoldenCase> {};

TEST_P(LogMelGolden, FramesAreThoseOfTheDefinition) {
  const std::string signal = GetParam().signal;
  const std::vector<float> samples =
      signal == "noise"         ? MakeNoise(480000, 1.0)
      : signal == "quiet noise" ? MakeNoise(40000, 1.0 / 1024)
      : signal == "square"      ? MakeSquare(176000)
                                : ReadRecording("clips/" + signal);
  if (samples.empty())
    GTEST_SKIP() << "no clips/" << signal << " in SPECINFER_DATA (\""
                 << SPECINFER_DATA << "\")";
  const json golden = Golden();
  ASSERT_TRUE(golden.is_object());
  const auto& cases = golden["cases"];
  const auto found =
      std::find_if(cases.begin(), cases.end(), [&](const json& one) {
        return one["signal"] == signal &&
               one["num_mels"] == GetParam().num_mels;
      });
  ASSERT_NE(found, cases.end());

  const auto frames = Window(samples, kWindowFrames, GetParam().num_mels);

  double sum = 0.0;
  for (const float value : frames) sum += value;
  EXPECT_NEAR(sum / static_cast<double>(frames.size()),
              (*found)["mean"].get<double>(), 1e-6);
  for (size_t row = 0; row < (*found)["frames"].size(); ++row) {
    const size_t frame = (*found)["frames"][row];
    for (size_t column = 0; column < (*found)["mels"].size(); ++column) {
      const size_t mel = (*found)["mels"][column];
      EXPECT_NEAR(frames[frame * GetParam().num_mels + mel],
                  (*found)["values"][row][column].get<double>(), 3e-5)
          << "frame " << frame << ", mel " << mel;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Signals, LogMelGolden,
    testing::Values(GoldenCase{"Speech80", "jfk.wav", 80},
                    GoldenCase{"Speech128", "jfk.wav", 128},
                    GoldenCase{"Noise80", "noise", 80},
                    GoldenCase{"Noise128", "noise", 128},
                    GoldenCase{"QuietNoise80", "quiet noise", 80},
                    GoldenCase{"QuietNoise128", "quiet noise", 128},
                    GoldenCase{"Square80", "square", 80},
                    GoldenCase{"Square128", "square", 128}),
    [](const auto& test) { return test.param.name; });

TEST(MelFilters, RowsSumToLibrosas) {
  const json golden = Golden();
  ASSERT_TRUE(golden.is_object());
  size_t row = 0;
  for (const int num_mels : {80, 128}) {
    const MelFilters filters(num_mels);
    for (int mel = 0; mel < num_mels; ++mel, ++row) {
      double sum = 0.0;
      for (const float weight : filters[mel].weights) sum += weight;
      EXPECT_NEAR(sum, golden["mel_row_sums"][row].get<double>(), 1e-8) << mel;
    }
  }
  EXPECT_EQ(row, golden["mel_row_sums"].size());
}

TEST(LogMel, SilenceIsMinusOneAndAHalf) {
  for (const size_t num_samples : {0, 1, 16000, 480000}) {
    for (const float value : Window(std::vector<float>(num_samples)))
      ASSERT_EQ(value, -1.5f);
  }
}

TEST(LogMel, HalfTheLoudnessIsASmallerLogarithm) {
  const auto samples = MakeNoise(480000, 1.0);
  auto quieter = samples;
  for (float& sample : quieter) sample *= 0.5f;

  const auto frames = Window(samples), quiet_frames = Window(quieter);

  // Noise has nothing that is clamped. A factor 2 is exact.
  for (size_t i = 0; i < frames.size(); ++i)
    ASSERT_NEAR((frames[i] - quiet_frames[i]) * 4.0, 0.60206, 2e-6);
}

TEST(LogMel, NothingIsMoreThanEightBelowThePeak) {
  auto samples = MakeNoise(16000, 1.0);
  samples.resize(480000);

  const auto frames = Window(samples);

  const auto [least, most] = std::minmax_element(frames.begin(), frames.end());
  EXPECT_NEAR(*most - *least, 2.0, 1e-6);
}

TEST(LogMel, ReflectsAtBothEnds) {
  // The reflection of the window's own definition, made here by hand: the
  // audio's frame 2 then is what the window's frame 0 was.
  const auto samples = MakeNoise(480000, 1.0);
  std::vector<float> reflected;
  for (int i = 320; i > 0; --i) reflected.push_back(samples[i]);
  reflected.insert(reflected.end(), samples.begin(), samples.end());
  for (int i = 1; i <= 320; ++i) reflected.push_back(samples[480000 - 1 - i]);
  std::vector<float> longer(3004 * 80), frames(3000 * 80);
  Memory memory(0);
  auto log_mel = *LogMel::Create(80, memory);

  log_mel.ComputeWindow(reflected, 3004, absl::MakeSpan(longer));
  log_mel.ComputeWindow(samples, 3000, absl::MakeSpan(frames));

  for (size_t i = 0; i < frames.size(); ++i)
    ASSERT_EQ(frames[i], longer[i + 2 * 80]) << i;
}

TEST(LogMel, AShorterWindowHasTheFramesOfTheLongerOne) {
  const auto samples = MakeSquare(50000);

  const auto frames = Window(samples), fewer = Window(samples, 320);

  for (size_t i = 0; i < fewer.size(); ++i) ASSERT_EQ(fewer[i], frames[i]);
}

TEST(LogMel, ValuesThatAreNoneAreSilence) {
  auto samples = MakeNoise(32000, 1.0), cleaned = samples;
  for (const size_t place : {0, 1, 399, 5000, 31999}) {
    samples[place] = place % 2 == 0 ? kNaN : -kInfinity;
    cleaned[place] = 0.0f;
  }

  EXPECT_EQ(Window(samples), Window(cleaned));
}

TEST(LogMel, FarTooLoudSamplesDoNotOverflow) {
  std::vector<float> samples(16000, std::numeric_limits<float>::max());
  for (size_t i = 0; i < samples.size(); i += 3) samples[i] = -samples[i];
  std::vector<float> bounded(16000, 1e12f);
  for (size_t i = 0; i < bounded.size(); i += 3) bounded[i] = -1e12f;

  const auto frames = Window(samples);

  for (const float value : frames) ASSERT_TRUE(std::isfinite(value));
  EXPECT_EQ(frames, Window(bounded));
}

TEST(LogMel, ClippedSamplesStayAsTheyAre) {
  auto samples = MakeSquare(16000);
  for (float& sample : samples) sample *= 320.0f;  // +-5

  const auto loud = Window(samples);
  for (float& sample : samples) sample /= 5.0f;
  const auto full = Window(samples);

  const auto peak = [](const auto& frames) {
    return *std::max_element(frames.begin(), frames.end());
  };
  EXPECT_NEAR((peak(loud) - peak(full)) * 4.0, 2 * std::log10(5.0), 1e-5);
}

TEST(LogMel, OtherNumbersOfMelsAreRefused) {
  Memory memory(0);

  EXPECT_EQ(LogMel::Create(81, memory).status().code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(LogMel::Create(-1, memory).status().code(),
            absl::StatusCode::kUnimplemented);
}

struct ChunkCase {
  const char* name;
  int num_samples;  // per push; 0: random
};

class MelStreamChunks : public testing::TestWithParam<ChunkCase> {};

TEST_P(MelStreamChunks, GiveTheBitsOfTheWholeWindow) {
  const auto samples = MakeNoise(163457, 0.5);
  Memory memory(0);
  MelStream stream = MakeStream(memory);
  std::minstd_rand random(7);

  for (size_t begin = 0; begin < samples.size();) {
    const size_t wanted =
        GetParam().num_samples > 0 ? GetParam().num_samples : random() % 3000;
    const size_t count = std::min(wanted, samples.size() - begin);
    ASSERT_EQ(stream.Push({&samples[begin], count}), count);
    begin += count;
  }

  EXPECT_EQ(stream.num_samples(), 163457);
  // Frame 1020 would see samples 163,000 to 163,399, and frame 1021 more.
  EXPECT_EQ(stream.num_frames(), 1021);
  EXPECT_EQ(Copy(stream, 0, 3000), Window(samples));
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, MelStreamChunks,
    testing::Values(ChunkCase{"One", 1}, ChunkCase{"Seven", 7},
                    ChunkCase{"Hop", 160}, ChunkCase{"Chunk", 512},
                    ChunkCase{"Second", 16000}, ChunkCase{"Random", 0}),
    [](const auto& test) { return test.param.name; });

TEST(MelStream, EveryPrefixIsItsWindow) {
  const auto samples = MakeSquare(2000);
  Memory memory(0);
  MelStream stream = MakeStream(memory);

  for (size_t i = 0; i < samples.size(); ++i) {
    ASSERT_EQ(Copy(stream, 0, 20),
              Window({samples.begin(), samples.begin() + i}, 20))
        << i;
    stream.Push({&samples[i], 1});
  }
}

TEST(MelStream, AFullWindowDiffersInItsLastFrameOnly) {
  const auto samples = MakeNoise(480000, 1.0);
  Memory memory(0);
  MelStream stream = MakeStream(memory);
  stream.Push(samples);

  const auto frames = Copy(stream, 0, 3000), window = Window(samples);

  EXPECT_TRUE(std::equal(frames.begin(), frames.end() - 80, window.begin()));
  EXPECT_NE(frames, window);
}

TEST(MelStream, LaterFramesSeeWhatWasBeforeThem) {
  const auto samples = MakeNoise(48000, 1.0);
  Memory memory(0);
  MelStream stream = MakeStream(memory);
  stream.Push(samples);

  const auto all = Copy(stream, 0, 300), later = Copy(stream, 100, 200);

  // Noise is not clamped; only the peak of the window is its own.
  for (size_t i = 0; i < later.size(); ++i)
    ASSERT_EQ(later[i], all[i + 100 * 80]);
}

TEST(MelStream, ALouderPartOfTheRecordingSetsTheFloor) {
  auto samples = MakeNoise(32000, 1e-6);
  for (size_t i = 0; i < 16000; ++i) samples[i] *= 1e6f;
  Memory memory(0);
  MelStream stream = MakeStream(memory);
  stream.Push(samples);
  std::vector<float> frames(50 * 80);

  stream.CopyWindow(120, 50, absl::MakeSpan(frames), stream.peak());

  const float floor = (stream.peak() - 8.0f + 4.0f) / 4.0f;
  for (const float value : frames) ASSERT_EQ(value, floor);
}

TEST(MelStream, TakesNoMoreThanItHasRoomFor) {
  const auto samples = MakeNoise(16000, 1.0);
  Memory memory(0);
  MelStream stream = MakeStream(memory, /*max_frames=*/30);
  MelStream large = MakeStream(memory);
  large.Push(samples);

  size_t taken = stream.Push(samples);
  EXPECT_EQ(stream.num_frames(), 30);
  EXPECT_LT(taken, 5200u);
  EXPECT_EQ(stream.Push(absl::MakeConstSpan(samples).subspan(taken)), 0u);
  while (taken < samples.size()) {
    stream.DropBefore(stream.num_frames() - 3);
    EXPECT_EQ(stream.first_frame(), stream.num_frames() - 3);
    const size_t more =
        stream.Push(absl::MakeConstSpan(samples).subspan(taken));
    ASSERT_GT(more, 0u);
    taken += more;
  }

  EXPECT_EQ(stream.num_frames(), large.num_frames());
  const auto frames = Copy(large, 0, 100);
  const int64_t first = stream.first_frame();
  const auto tail = Copy(stream, first, static_cast<int>(100 - first));
  const auto from = frames.begin() + first * 80;
  EXPECT_TRUE(std::equal(tail.begin(), tail.end(), from));
}

TEST(MelStream, ResetLeavesNothing) {
  const auto samples = MakeNoise(5000, 1.0);
  Memory memory(0);
  MelStream stream = MakeStream(memory);
  stream.Push(MakeSquare(7777));
  stream.DropBefore(10);

  stream.Reset();
  stream.Push(samples);

  EXPECT_EQ(Copy(stream, 0, 40), Window(samples, 40));
}

}  // namespace
}  // namespace specinfer
