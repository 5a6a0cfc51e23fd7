// The mel scale of Whisper's front end: triangles over the bins of a power
// spectrum, as librosa.filters.mel(sr=16000, n_fft=400) makes them (Slaney's
// scale and norm, 0 to 8,000 Hz). Computed, never stored.
#ifndef SPECINFER_SRC_SPEECH_MEL_FILTERS_H_
#define SPECINFER_SRC_SPEECH_MEL_FILTERS_H_

#include <vector>

#include "absl/types/span.h"

namespace specinfer {

// A row of the filters' matrix; outside of its bins it is 0.
struct MelFilter {
  int first_bin = 0;
  absl::Span<const float> weights;
};

class MelFilters {
 public:
  // REQUIRES: num_mels >= 1.
  explicit MelFilters(int num_mels);
  MelFilters(MelFilters&&) = default;
  MelFilters& operator=(MelFilters&&) = default;

  int num_mels() const { return static_cast<int>(filters_.size()); }
  const MelFilter& operator[](int mel) const { return filters_[mel]; }

 private:
  std::vector<float> weights_;  // of all filters, one after another
  std::vector<MelFilter> filters_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_MEL_FILTERS_H_
