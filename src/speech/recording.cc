#include "src/speech/recording.h"

#include "src/base/status_macros.h"
#include "src/base/text.h"

namespace specinfer {

absl::StatusOr<std::vector<float>> ConvertRecording(
    absl::Span<const float> interleaved, const AudioFormat& format,
    Memory& memory) {
  constexpr size_t kBlockSamples = 16384;
  SPECINFER_ASSIGN_OR_RETURN(Resampler resampler,
                             Resampler::Create(format, memory));
  const size_t num_channels = static_cast<size_t>(format.num_channels);
  if (interleaved.size() % num_channels != 0) {
    return absl::InvalidArgumentError(Cat(interleaved.size(),
                                          " samples are no multiple of ",
                                          num_channels, " channels"));
  }
  std::vector<float> samples;
  samples.reserve(static_cast<size_t>(
                      static_cast<double>(interleaved.size() / num_channels) *
                      16000.0 / format.sample_rate) +
                  kBlockSamples);
  std::vector<float> block(kBlockSamples);
  while (!interleaved.empty()) {
    SPECINFER_ASSIGN_OR_RETURN(
        const Resampler::Progress progress,
        resampler.Push(interleaved, absl::MakeSpan(block)));
    samples.insert(
        samples.end(), block.begin(),
        block.begin() + static_cast<int64_t>(progress.num_samples_given));
    interleaved.remove_prefix(progress.num_frames_taken * num_channels);
  }
  while (true) {
    SPECINFER_ASSIGN_OR_RETURN(const size_t num_given,
                               resampler.Flush(absl::MakeSpan(block)));
    if (num_given == 0) return samples;
    samples.insert(samples.end(), block.begin(),
                   block.begin() + static_cast<int64_t>(num_given));
  }
}

}  // namespace specinfer
