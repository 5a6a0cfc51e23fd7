// What everything here takes for granted of samples: mono, 16 kHz, finite.
#ifndef SPECINFER_SRC_SPEECH_AUDIO_SAMPLES_H_
#define SPECINFER_SRC_SPEECH_AUDIO_SAMPLES_H_

#include <cstddef>

namespace specinfer {

inline constexpr int kSpeechSampleRate = 16000;

// Copies samples: what is not finite becomes 0, and what is no sound is
// bounded, so that no power overflows. Clipping, beyond +-1, stays as it is.
inline void CopyFinite(const float* __restrict from, size_t count,
                       float* __restrict to) {
  constexpr float kBound = 1e12f;
  for (size_t i = 0; i < count; ++i) {
    const float x = from[i];
    const float bounded = x > kBound ? kBound : x < -kBound ? -kBound : x;
    to[i] = x - x == 0.0f ? bounded : 0.0f;
  }
}

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_AUDIO_SAMPLES_H_
