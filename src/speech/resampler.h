// Audio of any rate and number of channels to 16 kHz mono. The one file that
// knows soxr.
#ifndef SPECINFER_SRC_SPEECH_RESAMPLER_H_
#define SPECINFER_SRC_SPEECH_RESAMPLER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"

struct soxr;

namespace specinfer {

struct AudioFormat {
  int sample_rate = 16000;  // 4,000 to 384,000
  int num_channels = 1;     // 1 to 32
};

// One stream of audio; one thread at a time, and none that must not wait: soxr
// may allocate. The output begins and ends with the input, whatever soxr's
// filters hold back. Its bits do not depend on how the input is cut.
class Resampler {
 public:
  struct Progress {
    size_t num_frames_taken = 0;  // a frame has a sample of every channel
    size_t num_samples_given = 0;
  };

  // Errors: INVALID_ARGUMENT (a format outside of the limits), UNIMPLEMENTED
  // (another rate than 16 kHz in a build without soxr), RESOURCE_EXHAUSTED.
  static absl::StatusOr<Resampler> Create(const AudioFormat& format,
                                          Memory& memory);

  Resampler(Resampler&&) noexcept;
  ~Resampler();

  // Takes interleaved frames while there is room in `out`; the mean of the
  // channels is resampled. Samples that are not finite are taken as 0 and
  // counted; what is beyond +-1 stays as it is.
  // REQUIRES: interleaved.size() is a multiple of the number of channels.
  // Errors: INTERNAL (soxr failed; Reset() begins anew).
  absl::StatusOr<Progress> Push(absl::Span<const float> interleaved,
                                absl::Span<float> out);
  absl::StatusOr<Progress> Push(absl::Span<const int16_t> interleaved,
                                absl::Span<float> out);

  // Ends the input and gives what is left of the output; to be called until it
  // gives nothing. Then Reset() must come before other audio.
  // REQUIRES: `out` is not empty.
  absl::StatusOr<size_t> Flush(absl::Span<float> out);

  void Reset();

  // Samples so far that were not finite.
  int64_t num_invalid() const { return num_invalid_; }

 private:
  static constexpr size_t kBlockFrames = 1024;
  struct Delete {
    void operator()(soxr* resampler) const;
  };

  Resampler(const AudioFormat& format, Block block);
  template <typename Sample>
  absl::StatusOr<Progress> PushAny(absl::Span<const Sample> interleaved,
                                   absl::Span<float> out);
  // Resamples `mono`, or its end where it is null.
  absl::StatusOr<Progress> Resample(const float* mono, size_t num_frames,
                                    absl::Span<float> out);

  int num_channels_;
  int64_t num_invalid_ = 0;
  Block block_;                              // mono, [kBlockFrames]
  std::unique_ptr<soxr, Delete> resampler_;  // null: the rate stays
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_RESAMPLER_H_
