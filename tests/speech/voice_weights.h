// A safetensors file of the shape of Silero VAD, with weights of a seed.
#ifndef SPECINFER_TESTS_SPEECH_VOICE_WEIGHTS_H_
#define SPECINFER_TESTS_SPEECH_VOICE_WEIGHTS_H_

#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

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

}  // namespace specinfer

#endif  // SPECINFER_TESTS_SPEECH_VOICE_WEIGHTS_H_
