// Power spectra of frames of 400 samples, eight frames at once: the Fourier
// transform of Whisper's front end.
#ifndef SPECINFER_SRC_SPEECH_POWER_SPECTRUM_H_
#define SPECINFER_SRC_SPEECH_POWER_SPECTRUM_H_

#include <array>

namespace specinfer {

// Every operation is done lane by lane, a lane per frame, so a frame's bits do
// not depend on its lane or on the frames beside it.
class PowerSpectrum {
 public:
  static constexpr int kFrameSamples = 400;  // 25 ms at 16 kHz
  static constexpr int kNumBins = kFrameSamples / 2 + 1;
  static constexpr int kLanes = 8;

  // Working room, too large for a host's small stacks.
  struct Scratch {
    alignas(64) float a[kFrameSamples * kLanes];
    alignas(64) float b[kFrameSamples * kLanes];
  };

  PowerSpectrum();

  // Writes |X|^2 of the frames under a periodic Hann window that begin at
  // samples + lane * hop: power [kNumBins, kLanes], 64-byte aligned.
  void Compute(const float* samples, int hop, Scratch& scratch,
               float* power) const;

 private:
  static constexpr int kHalf = kFrameSamples / 2;

  std::array<float, kFrameSamples> window_;
  // cos and sin of 2 pi k / 400.
  std::array<float, kFrameSamples> cos_;
  std::array<float, kFrameSamples> sin_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_POWER_SPECTRUM_H_
