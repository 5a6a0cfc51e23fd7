// The weights of Silero VAD at 16 kHz, which says of 32 ms of sound how likely
// someone speaks.
#ifndef SPECINFER_SRC_SPEECH_VOICE_NETWORK_H_
#define SPECINFER_SRC_SPEECH_VOICE_NETWORK_H_

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

#include "src/base/file_mapping.h"
#include "src/base/memory.h"

namespace specinfer {

// A convolution over time. Its weights lie in panels of kPanel outputs, each
// [inputs, taps, kPanel], so that one vector of them serves every frame. Those
// past the last output are 0.
struct VoiceLayer {
  static constexpr int kPanel = 8;

  int num_inputs = 0;
  int num_taps = 0;
  int num_outputs = 0;
  const float* weights = nullptr;
  const float* biases = nullptr;  // [panels, kPanel]

  int num_panels() const { return (num_outputs + kPanel - 1) / kPanel; }
};

// Never changes: any number of VoiceActivity may use it at once.
class VoiceNetwork {
 public:
  static constexpr int kNumBins = 129;
  static constexpr int kHidden = 128;
  static constexpr int kNumConvolutions = 4;

  // Reads the safetensors file as it is published.
  // Errors: those of FileMapping::Open; INVALID_ARGUMENT (no safetensors, or
  // those of another network), UNIMPLEMENTED (element types),
  // RESOURCE_EXHAUSTED.
  static absl::StatusOr<VoiceNetwork> Load(const std::string& path,
                                           const FileReader& reader,
                                           Memory& memory);

  // Samples to real parts of all bins, then imaginary parts.
  VoiceLayer transform;
  VoiceLayer convolutions[kNumConvolutions];
  // Input, then hidden state, to the gates: in, forget, cell, out.
  VoiceLayer gates;
  VoiceLayer output;

 private:
  explicit VoiceNetwork(Block block) : block_(std::move(block)) {}
  Block block_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_VOICE_NETWORK_H_
