// A safetensors file of the shape of Silero VAD, with weights of a seed.
#ifndef SPECINFER_TESTS_SPEECH_VOICE_WEIGHTS_H_
#define SPECINFER_TESTS_SPEECH_VOICE_WEIGHTS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "src/base/memory.h"
#include "src/speech/voice_network.h"
#include "tests/model/memory_files.h"

namespace specinfer {

struct VoiceTensor {
  std::string name;
  std::string shape;  // JSON
  std::vector<float> values;
};

inline std::vector<VoiceTensor> MakeVoiceTensors() {
  const struct {
    const char* name;
    const char* shape;
    size_t count;
    size_t fan_in;
  } kShapes[] = {{"stft_conv.weight", "[258,1,256]", 258 * 256, 256},
                 {"conv1.weight", "[128,129,3]", 128 * 129 * 3, 129},
                 {"conv1.bias", "[128]", 128, 4},
                 {"conv2.weight", "[64,128,3]", 64 * 128 * 3, 128},
                 {"conv2.bias", "[64]", 64, 4},
                 {"conv3.weight", "[64,64,3]", 64 * 64 * 3, 64},
                 {"conv3.bias", "[64]", 64, 4},
                 {"conv4.weight", "[128,64,3]", 128 * 64 * 3, 32},
                 {"conv4.bias", "[128]", 128, 4},
                 {"lstm_cell.weight_ih", "[512,128]", 512 * 128, 32},
                 {"lstm_cell.weight_hh", "[512,128]", 512 * 128, 32},
                 {"lstm_cell.bias_ih", "[512]", 512, 4},
                 {"lstm_cell.bias_hh", "[512]", 512, 4},
                 {"final_conv.weight", "[1,128,1]", 128, 16},
                 {"final_conv.bias", "[1]", 1, 4}};
  std::minstd_rand random(3);
  std::vector<VoiceTensor> tensors;
  for (const auto& shape : kShapes) {
    VoiceTensor tensor{shape.name, shape.shape, {}};
    const double scale = 2.0 / std::sqrt(static_cast<double>(shape.fan_in));
    for (size_t i = 0; i < shape.count; ++i) {
      tensor.values.push_back(
          static_cast<float>((random() / 2147483647.0 - 0.5) * scale));
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

inline std::string SafetensorsBytes(const std::vector<VoiceTensor>& tensors) {
  std::string header = "{", data;
  for (const VoiceTensor& tensor : tensors) {
    const size_t num_bytes = tensor.values.size() * sizeof(float);
    absl::StrAppend(&header, header.size() > 1 ? "," : "", "\"", tensor.name,
                    "\":{\"dtype\":\"F32\",\"shape\":", tensor.shape,
                    ",\"data_offsets\":[", data.size(), ",",
                    data.size() + num_bytes, "]}");
    data.append(reinterpret_cast<const char*>(tensor.values.data()), num_bytes);
  }
  header += "}";
  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i)
    length[i] = static_cast<char>(header.size() >> (8 * i));
  return length + header + data;
}

// Weights that make the network a detector of a tone of 1 kHz, which takes the
// place of speech: nothing is carried from chunk to chunk.
inline std::vector<VoiceTensor> MakeToneDetector() {
  std::vector<VoiceTensor> tensors = MakeVoiceTensors();
  std::map<std::string, std::vector<float>*> values;
  for (VoiceTensor& tensor : tensors) {
    std::fill(tensor.values.begin(), tensor.values.end(), 0.0f);
    values[tensor.name] = &tensor.values;
  }
  constexpr int kBin = 16;
  for (int i = 0; i < 256; ++i) {
    const double angle = 2.0 * 3.14159265358979 * kBin * i / 256.0;
    (*values["stft_conv.weight"])[kBin * 256 + i] =
        static_cast<float>(std::cos(angle));
    (*values["stft_conv.weight"])[(129 + kBin) * 256 + i] =
        static_cast<float>(std::sin(angle));
  }
  // The middle taps from channel to channel.
  (*values["conv1.weight"])[kBin * 3 + 1] = 1.0f;
  for (const char* name : {"conv2.weight", "conv3.weight", "conv4.weight"})
    (*values[name])[1] = 1.0f;
  // Gates: in, forget, cell, out.
  std::vector<float>& gates = *values["lstm_cell.bias_ih"];
  gates[0] = gates[3 * 128] = 20.0f;
  gates[128] = -20.0f;
  (*values["lstm_cell.weight_ih"])[2 * 128 * 128] = 0.1f;
  (*values["final_conv.weight"])[0] = 20.0f;
  (*values["final_conv.bias"])[0] = -5.0f;
  return tensors;
}

inline std::shared_ptr<const VoiceNetwork> LoadToneDetector(Memory& memory) {
  MemoryFiles files;
  files.Put("tone", SafetensorsBytes(MakeToneDetector()));
  auto network = VoiceNetwork::Load("tone", files.reader(), memory);
  EXPECT_TRUE(network.ok()) << network.status();
  return std::make_shared<const VoiceNetwork>(*std::move(network));
}

// Between these seconds of a recording at 16 kHz.
inline void AddTone(double begin, double end, std::vector<float>* samples) {
  const size_t last =
      std::min(samples->size(), static_cast<size_t>(end * 16000));
  for (size_t i = static_cast<size_t>(begin * 16000); i < last; ++i) {
    (*samples)[i] += static_cast<float>(
        0.5 * std::sin(2.0 * 3.14159265358979 / 16.0 * static_cast<double>(i)));
  }
}

}  // namespace specinfer

#endif  // SPECINFER_TESTS_SPEECH_VOICE_WEIGHTS_H_
