#include "src/speech/mel_filters.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "src/speech/audio_samples.h"
#include "src/speech/power_spectrum.h"

namespace specinfer {
namespace {

constexpr double kSampleRate = kSpeechSampleRate;
constexpr double kBinHz = kSampleRate / PowerSpectrum::kFrameSamples;

// Slaney's scale: linear below 1,000 Hz, then 27 mels per factor 6.4.
constexpr double kLinearHz = 200.0 / 3.0;
constexpr double kBreakHz = 1000.0;
constexpr double kBreakMel = kBreakHz / kLinearHz;

double MelOfHz(double hz) {
  return hz < kBreakHz
             ? hz / kLinearHz
             : kBreakMel + 27.0 * std::log(hz / kBreakHz) / std::log(6.4);
}

double HzOfMel(double mel) {
  return mel < kBreakMel
             ? mel * kLinearHz
             : kBreakHz * std::exp((mel - kBreakMel) * std::log(6.4) / 27.0);
}

}  // namespace

MelFilters::MelFilters(int num_mels) : filters_(num_mels) {
  const double step = MelOfHz(kSampleRate / 2) / (num_mels + 1);
  std::vector<size_t> ends(num_mels);
  for (int mel = 0; mel < num_mels; ++mel) {
    const double low = HzOfMel(step * mel), middle = HzOfMel(step * (mel + 1)),
                 high = HzOfMel(step * (mel + 2));
    for (int bin = 0; bin < PowerSpectrum::kNumBins; ++bin) {
      const double hz = bin * kBinHz;
      const double height =
          std::min((hz - low) / (middle - low), (high - hz) / (high - middle));
      if (height <= 0.0) continue;
      // Of equal area: narrow filters are higher.
      if (weights_.size() == (mel == 0 ? 0 : ends[mel - 1]))
        filters_[mel].first_bin = bin;
      weights_.push_back(static_cast<float>(height * 2.0 / (high - low)));
    }
    ends[mel] = weights_.size();
  }
  for (int mel = 0; mel < num_mels; ++mel) {
    const size_t begin = mel == 0 ? 0 : ends[mel - 1];
    filters_[mel].weights =
        absl::MakeConstSpan(weights_).subspan(begin, ends[mel] - begin);
  }
}

}  // namespace specinfer
