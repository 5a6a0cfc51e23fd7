#include "src/speech/voice_activity.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "src/base/status_macros.h"
#include "src/speech/audio_samples.h"

namespace specinfer {
namespace {

constexpr int kPanel = VoiceLayer::kPanel;  // two vectors
constexpr int kBins = VoiceNetwork::kNumBins;
constexpr int kHidden = VoiceNetwork::kHidden;
// A chunk is heard with what was just before it and its own end reflected.
constexpr int kContext = 64;
constexpr int kHeard = kContext + VoiceActivity::kChunkSamples;
constexpr int kReflected = 64;
// Frames of 256 samples, every 128; later layers have half as many, and one.
constexpr int kFrameStep = 128;
constexpr int kFrames = 4;

constexpr int RoundUp(int count) {
  return (count + kPanel - 1) / kPanel * kPanel;
}

// e^x within 2 units in the last place for x in [-87, 88], where it is clamped;
// in plain multiplications and additions, which loops make vectors of.
inline float ExpClamped(float x) {
  x = x > -87.0f ? x : -87.0f;  // NaN too
  x = x < 88.0f ? x : 88.0f;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: leaves whole numbers
  const float n = (x * 1.44269504088896341f + kRound) - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;  // Cephes expf
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  return p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

inline float Sigmoid(float x) { return 1.0f / (1.0f + ExpClamped(-x)); }
inline float Tanh(float x) { return 2.0f * Sigmoid(2.0f * x) - 1.0f; }

// Four outputs; of GCC and Clang on every architecture. Loops over arrays of
// floats would keep their sums in memory.
using Vector = float __attribute__((vector_size(16)));

inline Vector Load(const float* values) {
  Vector vector;
  std::memcpy(&vector, values, sizeof(vector));
  return vector;
}

// output[out * output_stride + t] = bias[out] + the sum over inputs and taps of
//   weight[out, in, tap] * input[in * input_stride + t * frame_step + tap],
// added in that order for each output by itself. Writes whole panels.
template <int kNumFrames>
void Convolve(const VoiceLayer& layer, const float* input, int input_stride,
              int frame_step, int output_stride, float* output) {
  static_assert(sizeof(Vector[2]) == sizeof(float[kPanel]));
  const float* weights = layer.weights;
  for (int panel = 0; panel < layer.num_panels(); ++panel) {
    Vector low[kNumFrames], high[kNumFrames];
    for (int t = 0; t < kNumFrames; ++t) {
      low[t] = Load(layer.biases + panel * kPanel);
      high[t] = Load(layer.biases + panel * kPanel + kPanel / 2);
    }
    for (int in = 0; in < layer.num_inputs; ++in) {
      const float* x = input + in * input_stride;
      for (int tap = 0; tap < layer.num_taps; ++tap, ++x) {
        const Vector low_weights = Load(weights);
        const Vector high_weights = Load(weights + kPanel / 2);
        for (int t = 0; t < kNumFrames; ++t) {
          low[t] += low_weights * x[t * frame_step];
          high[t] += high_weights * x[t * frame_step];
        }
        weights += kPanel;
      }
    }
    for (int t = 0; t < kNumFrames; ++t) {
      const Vector sums[2] = {low[t], high[t]};
      float values[kPanel];
      std::memcpy(values, sums, sizeof(values));
      for (int lane = 0; lane < kPanel; ++lane)
        output[(panel * kPanel + lane) * output_stride + t] = values[lane];
    }
  }
}

// [channels, kNumFrames] with room for a zero at both ends of a channel.
template <int kChannels, int kNumFrames>
struct Frames {
  static constexpr int kStride = kNumFrames + 2;
  float values[RoundUp(kChannels) * kStride];

  float* begin() { return values + 1; }
  void Rectify() {
    for (float& value : values) value = value > 0.0f ? value : 0.0f;
  }
};

}  // namespace

struct VoiceActivity::State {
  // What is carried from chunk to chunk.
  float samples[kHeard + kReflected];
  float cell[kHidden];
  // Input of the gates: [kHidden], then the hidden state.
  float features[2 * kHidden];
  // Of the chunk. The zeros beside the frames are never written.
  float transformed[RoundUp(2 * kBins) * kFrames];
  Frames<kBins, kFrames> magnitudes;
  Frames<128, kFrames> first;
  Frames<64, 2> second;
  float third[64];
  float gates[4 * kHidden];
};

absl::StatusOr<VoiceActivity> VoiceActivity::Create(const VoiceNetwork& network,
                                                    Memory& memory) {
  SPECINFER_ASSIGN_OR_RETURN(Block block,
                             memory.Allocate(sizeof(State), "voice activity"));
  return VoiceActivity(network, std::move(block));
}

void VoiceActivity::Reset() { std::memset(block_.data(), 0, sizeof(State)); }

float VoiceActivity::Push(absl::Span<const float> samples) {
  assert(samples.size() == kChunkSamples);
  State& s = state();
  std::memmove(s.samples, s.samples + kChunkSamples, kContext * sizeof(float));
  CopyFinite(samples.data(), kChunkSamples, s.samples + kContext);
  for (int i = 0; i < kReflected; ++i)
    s.samples[kHeard + i] = s.samples[kHeard - 2 - i];

  Convolve<kFrames>(network_->transform, s.samples, 0, kFrameStep, kFrames,
                    s.transformed);
  for (int bin = 0; bin < kBins; ++bin) {
    const float* re = s.transformed + bin * kFrames;
    const float* im = re + kBins * kFrames;
    for (int t = 0; t < kFrames; ++t) {
      s.magnitudes.begin()[bin * s.magnitudes.kStride + t] =
          std::sqrt(re[t] * re[t] + im[t] * im[t]);
    }
  }
  const VoiceLayer* layers = network_->convolutions;
  Convolve<kFrames>(layers[0], s.magnitudes.values, s.magnitudes.kStride, 1,
                    s.first.kStride, s.first.begin());
  s.first.Rectify();
  Convolve<2>(layers[1], s.first.values, s.first.kStride, 2, s.second.kStride,
              s.second.begin());
  s.second.Rectify();
  Convolve<1>(layers[2], s.second.begin(), s.second.kStride, 0, 1, s.third);
  for (float& value : s.third) value = value > 0.0f ? value : 0.0f;
  Convolve<1>(layers[3], s.third, 1, 0, 1, s.features);
  for (int i = 0; i < kHidden; ++i)
    s.features[i] = s.features[i] > 0.0f ? s.features[i] : 0.0f;

  Convolve<1>(network_->gates, s.features, 1, 0, 1, s.gates);
  float* hidden = s.features + kHidden;
  const float* gates = s.gates;
  for (int i = 0; i < kHidden; ++i) {
    s.cell[i] = Sigmoid(gates[kHidden + i]) * s.cell[i] +
                Sigmoid(gates[i]) * Tanh(gates[2 * kHidden + i]);
    hidden[i] = Sigmoid(gates[3 * kHidden + i]) * Tanh(s.cell[i]);
  }
  float rectified[kHidden];
  for (int i = 0; i < kHidden; ++i)
    rectified[i] = hidden[i] > 0.0f ? hidden[i] : 0.0f;
  float outputs[kPanel];
  Convolve<1>(network_->output, rectified, 1, 0, 1, outputs);
  const float probability = Sigmoid(outputs[0]);
  return probability >= 0.0f ? probability : 0.0f;
}

}  // namespace specinfer
