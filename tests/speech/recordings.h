// Recordings for tests: real ones, which may be absent, and made ones.
#ifndef SPECINFER_TESTS_SPEECH_RECORDINGS_H_
#define SPECINFER_TESTS_SPEECH_RECORDINGS_H_

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace specinfer {

// The samples of a 16-bit mono WAV file with a header of 44 bytes in
// SPECINFER_DATA; empty where it is absent.
inline std::vector<float> ReadRecording(const std::string& name) {
  std::ifstream stream(std::string(SPECINFER_DATA) + "/" + name,
                       std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream),
                          std::istreambuf_iterator<char>()};
  std::vector<float> samples;
  const size_t data = bytes.find("data");
  for (size_t i = data == std::string::npos ? bytes.size() : data + 8;
       i + 1 < bytes.size(); i += 2) {
    int16_t sample;
    std::memcpy(&sample, bytes.data() + i, 2);
    samples.push_back(static_cast<float>(sample) / 32768.0f);
  }
  return samples;
}

// Noise of a 32-bit linear congruential generator, in [-scale/2, scale/2).
inline std::vector<float> MakeNoise(size_t count, double scale) {
  uint32_t state = 1;
  std::vector<float> samples(count);
  for (float& sample : samples) {
    state = state * 1664525u + 1013904223u;
    sample = static_cast<float>(((state >> 8) / 16777216.0 - 0.5) * scale);
  }
  return samples;
}

// A square wave of 125 Hz that grows by steps of a second.
inline std::vector<float> MakeSquare(size_t count) {
  std::vector<float> samples(count);
  for (size_t i = 0; i < count; ++i) {
    const float height = static_cast<float>(1 + i / 16000) / 64.0f;
    samples[i] = i / 64 % 2 == 0 ? height : -height;
  }
  return samples;
}

}  // namespace specinfer

#endif  // SPECINFER_TESTS_SPEECH_RECORDINGS_H_
