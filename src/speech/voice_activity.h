// Whether someone speaks: Silero VAD, 32 ms at a time.
#ifndef SPECINFER_SRC_SPEECH_VOICE_ACTIVITY_H_
#define SPECINFER_SRC_SPEECH_VOICE_ACTIVITY_H_

#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/speech/voice_network.h"

namespace specinfer {

// One stream of sound. One thread at a time; nothing allocates after creation.
class VoiceActivity {
 public:
  static constexpr int kChunkSamples = 512;

  // REQUIRES: `network` outlives this.
  static absl::StatusOr<VoiceActivity> Create(const VoiceNetwork& network,
                                              Memory& memory);

  // The probability, 0 to 1, that someone speaks in the next 512 samples at
  // 16 kHz. Samples that are not finite are taken as 0.
  // REQUIRES: samples.size() == kChunkSamples.
  float Push(absl::Span<const float> samples);

  // Forgets all sound.
  void Reset();

 private:
  struct State;
  VoiceActivity(const VoiceNetwork& network, Block block)
      : network_(&network), block_(std::move(block)) {}
  State& state() const { return *reinterpret_cast<State*>(block_.data()); }

  const VoiceNetwork* network_;
  Block block_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_VOICE_ACTIVITY_H_
