// Audio files, written by libsndfile itself, whole, empty, cut and none.
#include "tools/specinfer/audio_file.h"

#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tools/specinfer/failure.h"

namespace specinfer_cli {
namespace {

using ::testing::HasSubstr;

class AudioFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "specinfer_audio_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::replace(folder_.begin() + testing::TempDir().size(), folder_.end(),
                 '/', '_');
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Two channels, a second of 440 Hz and of 880 Hz at 44.1 kHz.
  std::string Write(int format) {
    const std::string path = folder_ + "/sound";
    SF_INFO info = {};
    info.samplerate = 44100;
    info.channels = 2;
    info.format = format;
    SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
    if (file == nullptr) return "";
    for (int i = 0; i < 44100; ++i) {
      const double angle = 2.0 * 3.14159265358979 * 440.0 * i / 44100;
      samples_.push_back(static_cast<float>(0.5 * std::sin(angle)));
      samples_.push_back(static_cast<float>(0.25 * std::sin(2.0 * angle)));
    }
    sf_writef_float(file, samples_.data(), 44100);
    sf_close(file);
    return path;
  }
  std::string WriteBytes(const std::string& bytes) {
    const std::string path = folder_ + "/bytes";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  static std::string Bytes(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream),
            std::istreambuf_iterator<char>()};
  }

  std::string folder_;
  std::vector<float> samples_;
};

std::vector<float> ReadAll(AudioFile& file) {
  std::vector<float> found;
  while (true) {
    const std::vector<float>& block = file.Read(1000);
    if (block.empty()) return found;
    found.insert(found.end(), block.begin(), block.end());
  }
}

// What the file fails with, at once or while it is read; empty: it does not.
std::string FailureOf(const std::string& path) {
  try {
    AudioFile file(path);
    ReadAll(file);
  } catch (const Failure& failure) {
    return failure.what();
  }
  return "";
}

struct FormatCase {
  const char* name;
  int format;
  double tolerance;
};

class AudioFormats : public AudioFiles,
                     public testing::WithParamInterface<FormatCase> {};

TEST_P(AudioFormats, AreReadInBlocks) {
  const std::string path = Write(GetParam().format);
  if (path.empty()) GTEST_SKIP() << "this libsndfile cannot write them";
  AudioFile file(path);

  EXPECT_EQ(file.sample_rate(), 44100);
  EXPECT_EQ(file.num_channels(), 2);
  const auto found = ReadAll(file);
  ASSERT_GE(found.size(), 2 * 44000u);
  double sum = 0.0;
  for (size_t i = 0; i < std::min(found.size(), samples_.size()); ++i)
    sum += std::pow(found[i] - samples_[i], 2.0);
  EXPECT_LT(std::sqrt(sum / static_cast<double>(samples_.size())),
            GetParam().tolerance);
}

INSTANTIATE_TEST_SUITE_P(
    Formats, AudioFormats,
    testing::Values(
        FormatCase{"Wav16", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1e-4},
        FormatCase{"WavFloat", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 1e-7},
        FormatCase{"Flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, 1e-6},
        FormatCase{"Ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 0.05},
        FormatCase{"Mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 0.05}),
    [](const auto& test) { return test.param.name; });

TEST_F(AudioFiles, ThatAreNotThereAreNamed) {
  EXPECT_THAT(FailureOf(folder_ + "/none.wav"), HasSubstr("none.wav"));
  EXPECT_THAT(FailureOf(folder_), HasSubstr("cannot be read"));
}

TEST_F(AudioFiles, WithoutSoundAreRefused) {
  const std::string bytes = Bytes(Write(SF_FORMAT_WAV | SF_FORMAT_PCM_16));

  EXPECT_THAT(FailureOf(WriteBytes("")), HasSubstr("cannot be read"));
  EXPECT_THAT(FailureOf(WriteBytes("this is no sound")),
              HasSubstr("cannot be read"));
  std::string silent = bytes.substr(0, 44);
  silent[4] = 36;
  silent[5] = silent[6] = silent[7] = 0;
  silent[40] = silent[41] = silent[42] = silent[43] = 0;
  EXPECT_THAT(FailureOf(WriteBytes(silent)), HasSubstr("is empty"));
}

TEST_F(AudioFiles, CutShortAreRefused) {
  for (const int format :
       {SF_FORMAT_WAV | SF_FORMAT_PCM_16, SF_FORMAT_FLAC | SF_FORMAT_PCM_16}) {
    const std::string bytes = Bytes(Write(format));
    for (const double part : {0.0001, 0.001, 0.1, 0.5, 0.99}) {
      const auto size =
          static_cast<size_t>(part * static_cast<double>(bytes.size()));
      EXPECT_NE(FailureOf(WriteBytes(bytes.substr(0, size))), "")
          << format << " " << part;
    }
    EXPECT_EQ(FailureOf(WriteBytes(bytes)), "");
  }
}

TEST_F(AudioFiles, WrittenToAPipeAreReadToTheirEnd) {
  std::string bytes = Bytes(Write(SF_FORMAT_WAV | SF_FORMAT_PCM_16));
  for (const size_t place : {4, 5, 6, 7, 40, 41, 42, 43}) bytes[place] = '\xff';
  AudioFile file(WriteBytes(bytes));

  EXPECT_EQ(ReadAll(file).size(), samples_.size());
}

}  // namespace
}  // namespace specinfer_cli
