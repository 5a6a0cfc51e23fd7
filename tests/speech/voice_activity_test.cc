// Silero VAD against the published runtime's answers about recordings
// (testdata/make_voice_activity_golden.py), and against its definition written
// out in double precision, with weights of a seed.
#include "src/speech/voice_activity.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/base/memory.h"
#include "tests/fuzz/mutator.h"
#include "tests/model/memory_files.h"
#include "tests/speech/recordings.h"
#include "tests/speech/voice_weights.h"
#include <nlohmann/json.hpp>

namespace specinfer {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr int kChunk = VoiceActivity::kChunkSamples;

// A convolution as textbooks have it: [out, in, taps] over [in][frames].
using Channels = std::vector<std::vector<double>>;
Channels Convolve(const VoiceTensor& weight, const VoiceTensor* bias,
                  const Channels& input, int taps, int stride, int padding) {
  const int num_inputs = static_cast<int>(input.size());
  const int num_frames = static_cast<int>(input[0].size());
  const int num_outputs =
      static_cast<int>(weight.values.size()) / (num_inputs * taps);
  Channels output(num_outputs);
  for (int out = 0; out < num_outputs; ++out) {
    for (int at = -padding; at + taps <= num_frames + padding; at += stride) {
      double sum = bias == nullptr ? 0.0 : bias->values[out];
      for (int in = 0; in < num_inputs; ++in) {
        for (int tap = 0; tap < taps; ++tap) {
          if (at + tap < 0 || at + tap >= num_frames) continue;
          sum += weight.values[(out * num_inputs + in) * taps + tap] *
                 input[in][at + tap];
        }
      }
      output[out].push_back(sum);
    }
  }
  return output;
}

void Rectify(Channels& channels) {
  for (auto& channel : channels) {
    for (double& value : channel) value = std::max(value, 0.0);
  }
}

class DefinedVoiceActivity {
 public:
  explicit DefinedVoiceActivity(const std::vector<VoiceTensor>& tensors) {
    for (const VoiceTensor& tensor : tensors) tensors_[tensor.name] = &tensor;
  }

  double Push(const float* samples) {
    std::vector<double> heard = context_;
    heard.insert(heard.end(), samples, samples + kChunk);
    context_.assign(heard.end() - 64, heard.end());
    for (int i = 0; i < 64; ++i) heard.push_back(heard[576 - 2 - i]);
    const Channels parts =
        Convolve(Of("stft_conv.weight"), nullptr, {heard}, 256, 128, 0);
    Channels x(129, std::vector<double>(4));
    for (int bin = 0; bin < 129; ++bin) {
      for (int t = 0; t < 4; ++t)
        x[bin][t] = std::hypot(parts[bin][t], parts[bin + 129][t]);
    }
    int layer = 0;
    for (const int stride : {1, 2, 2, 1}) {
      const std::string name = "conv" + std::to_string(++layer);
      x = Convolve(Of(name + ".weight"), &Of(name + ".bias"), x, 3, stride, 1);
      Rectify(x);
    }
    EXPECT_EQ(x[0].size(), 1u);
    const Channels input = Convolve(Of("lstm_cell.weight_ih"),
                                    &Of("lstm_cell.bias_ih"), x, 1, 1, 0);
    const Channels carried = Convolve(
        Of("lstm_cell.weight_hh"), &Of("lstm_cell.bias_hh"), hidden_, 1, 1, 0);
    const auto sigmoid = [](double v) { return 1.0 / (1.0 + std::exp(-v)); };
    const auto gate = [&](int which, int i) {
      return input[which * 128 + i][0] + carried[which * 128 + i][0];
    };
    Channels rectified(128);
    for (int i = 0; i < 128; ++i) {
      cell_[i] = sigmoid(gate(1, i)) * cell_[i] +
                 sigmoid(gate(0, i)) * std::tanh(gate(2, i));
      rectified[i] = {sigmoid(gate(3, i)) * std::tanh(cell_[i])};
    }
    hidden_ = rectified;
    Rectify(rectified);
    return sigmoid(Convolve(Of("final_conv.weight"), &Of("final_conv.bias"),
                            rectified, 1, 1, 0)[0][0]);
  }

 private:
  const VoiceTensor& Of(const std::string& name) { return *tensors_[name]; }

  std::map<std::string, const VoiceTensor*> tensors_;
  std::vector<double> context_ = std::vector<double>(64);
  Channels hidden_ = Channels(128, std::vector<double>(1));
  std::vector<double> cell_ = std::vector<double>(128);
};

absl::StatusOr<VoiceNetwork> LoadBytes(std::string bytes, Memory& memory) {
  MemoryFiles files;
  files.Put("vad", std::move(bytes));
  return VoiceNetwork::Load("vad", files.reader(), memory);
}

std::vector<float> Probabilities(VoiceActivity& activity,
                                 std::vector<float> samples) {
  samples.resize((samples.size() + kChunk - 1) / kChunk * kChunk);
  std::vector<float> found;
  for (size_t begin = 0; begin < samples.size(); begin += kChunk)
    found.push_back(activity.Push({&samples[begin], kChunk}));
  return found;
}

class SeededVoice : public testing::Test {
 protected:
  void SetUp() override {
    auto network = LoadBytes(SafetensorsBytes(tensors_), memory_);
    ASSERT_TRUE(network.ok()) << network.status();
    network_.emplace(*std::move(network));
    activity_.emplace(*VoiceActivity::Create(*network_, memory_));
  }

  const std::vector<VoiceTensor> tensors_ = MakeVoiceTensors();
  Memory memory_{0};
  std::optional<VoiceNetwork> network_;
  std::optional<VoiceActivity> activity_;
};

TEST_F(SeededVoice, IsTheNetworkOfItsDefinition) {
  const auto samples = MakeNoise(20 * kChunk, 2.0);
  DefinedVoiceActivity defined(tensors_);

  const auto found = Probabilities(*activity_, samples);

  double least = 1.0, most = 0.0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double wanted = defined.Push(&samples[i * kChunk]);
    EXPECT_NEAR(found[i], wanted, 2e-5) << i;
    least = std::min(least, wanted);
    most = std::max(most, wanted);
  }
  EXPECT_GT(most - least, 0.02);  // or this would show nothing
}

TEST_F(SeededVoice, ResetForgetsAllSound) {
  const auto samples = MakeNoise(5 * kChunk, 2.0);
  const auto first = Probabilities(*activity_, samples);
  const auto second = Probabilities(*activity_, samples);

  activity_->Reset();

  EXPECT_NE(second, first);
  EXPECT_EQ(Probabilities(*activity_, samples), first);
}

TEST_F(SeededVoice, ValuesThatAreNoneAreSilence) {
  auto samples = MakeNoise(3 * kChunk, 2.0), cleaned = samples;
  samples[5] = samples[1000] = std::numeric_limits<float>::quiet_NaN();
  samples[700] = -std::numeric_limits<float>::infinity();
  cleaned[5] = cleaned[1000] = cleaned[700] = 0.0f;

  const auto found = Probabilities(*activity_, samples);
  activity_->Reset();

  EXPECT_EQ(found, Probabilities(*activity_, cleaned));
}

TEST_F(SeededVoice, AnyNumbersGiveAProbability) {
  const std::vector<float> samples(4 * kChunk,
                                   std::numeric_limits<float>::max());

  for (const float probability : Probabilities(*activity_, samples)) {
    EXPECT_GE(probability, 0.0f);
    EXPECT_LE(probability, 1.0f);
  }
}

TEST_F(SeededVoice, NoSoundIsTooLoudForWhatComesAfterIt) {
  const std::vector<float> loud(kChunk, std::numeric_limits<float>::max());
  const auto samples = MakeNoise(3 * kChunk, 2.0);
  activity_->Push(loud);

  for (const float probability : Probabilities(*activity_, samples))
    EXPECT_GT(probability, 0.1f);
}

TEST(VoiceNetwork, RefusesFilesCutAnywhere) {
  const std::string bytes = SafetensorsBytes(MakeVoiceTensors());
  Memory memory(0);

  for (size_t size = 1; size < bytes.size(); size += 1 + size / 7)
    EXPECT_FALSE(LoadBytes(bytes.substr(0, size), memory).ok()) << size;
  EXPECT_EQ(memory.used_bytes(), 0u);
}

TEST(VoiceNetwork, ReadsDamagedFilesOrRefusesThem) {
  const std::string bytes = SafetensorsBytes(MakeVoiceTensors());
  const size_t header_bytes = bytes.find("}}") + 2;
  const std::vector<float> sound = MakeNoise(kChunk, 2.0);
  Mutator mutator(1);
  int num_refused = 0;
  for (int round = 0; round < 600; ++round) {
    Memory memory(uint64_t{16} << 20);
    const auto network = LoadBytes(mutator.Mutate(bytes, header_bytes), memory);
    if (!network.ok()) {
      ++num_refused;
      ASSERT_FALSE(network.status().message().empty()) << round;
      ASSERT_EQ(memory.used_bytes(), 0u) << round;
      continue;
    }
    VoiceActivity activity = *VoiceActivity::Create(*network, memory);
    const float probability = activity.Push(sound);
    ASSERT_TRUE(probability >= 0.0f && probability <= 1.0f) << round;
  }
  EXPECT_GT(num_refused, 150);
  EXPECT_LT(num_refused, 600);
}

TEST(VoiceNetwork, RefusesMissingTensors) {
  Memory memory(0);
  for (size_t i = 0; i < MakeVoiceTensors().size(); ++i) {
    auto tensors = MakeVoiceTensors();
    const std::string name = tensors[i].name;
    tensors.erase(tensors.begin() + i);

    const auto status = LoadBytes(SafetensorsBytes(tensors), memory).status();

    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  }
}

TEST(VoiceNetwork, RefusesOtherShapes) {
  Memory memory(0);
  for (size_t i = 0; i < MakeVoiceTensors().size(); ++i) {
    auto tensors = MakeVoiceTensors();
    tensors[i].values.push_back(0.0f);
    tensors[i].shape = absl::StrCat("[", tensors[i].values.size(), "]");

    const auto status = LoadBytes(SafetensorsBytes(tensors), memory).status();

    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(tensors[i].name));
  }
  // As many values, but not rows: the convolution is over another axis.
  auto tensors = MakeVoiceTensors();
  tensors[0].shape = "[256,1,258]";
  EXPECT_FALSE(LoadBytes(SafetensorsBytes(tensors), memory).ok());
}

TEST(VoiceNetwork, RefusesValuesThatAreNone) {
  Memory memory(0);
  auto tensors = MakeVoiceTensors();
  tensors[9].values[77] = std::numeric_limits<float>::infinity();

  const auto status = LoadBytes(SafetensorsBytes(tensors), memory).status();

  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr("lstm_cell.weight_ih\" has values that are no numbers"));
}

TEST(VoiceNetwork, StaysWithinTheBudget) {
  Memory memory(1 << 20);

  EXPECT_EQ(
      LoadBytes(SafetensorsBytes(MakeVoiceTensors()), memory).status().code(),
      absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(memory.used_bytes(), 0u);
}

TEST(VoiceActivity, SaysOfRecordingsWhatThePublishedRuntimeSays) {
  Memory memory(0);
  const std::string path =
      std::string(SPECINFER_MODELS) + "/silero_vad_16k.safetensors";
  const auto network = VoiceNetwork::Load(path, {}, memory);
  if (absl::IsNotFound(network.status()))
    GTEST_SKIP() << "no silero_vad_16k.safetensors in SPECINFER_MODELS (\""
                 << SPECINFER_MODELS << "\")";
  ASSERT_TRUE(network.ok()) << network.status();
  std::ifstream stream(std::string(SPECINFER_TESTDATA) +
                       "/voice_activity.json");
  const json golden = json::parse(stream, nullptr, /*allow_exceptions=*/false);
  ASSERT_TRUE(golden.is_array());
  int num_heard = 0;
  for (const json& recording : golden) {
    const std::string name = recording["signal"];
    const auto samples = ReadRecording(name);
    if (samples.empty()) continue;
    ++num_heard;
    ASSERT_EQ(samples.size(), recording["num_samples"].get<size_t>());
    VoiceActivity activity = *VoiceActivity::Create(*network, memory);

    const auto found = Probabilities(activity, samples);

    ASSERT_EQ(found.size(), recording["probabilities"].size());
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(found[i], recording["probabilities"][i].get<int>() / 1e6,
                  1e-4)
          << name << " chunk " << i;
    }
  }
  if (num_heard == 0)
    GTEST_SKIP() << "no recordings in SPECINFER_DATA (\"" << SPECINFER_DATA
                 << "\")";
}

}  // namespace
}  // namespace specinfer
