#include "src/speech/resampler.h"

#include <algorithm>
#include <cassert>
#include <string>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"
#include "src/speech/audio_samples.h"

#ifdef SPECINFER_HAS_SOXR
#include <soxr.h>
#endif

namespace specinfer {
namespace {

constexpr int kLeastRate = 4000;
constexpr int kMostRate = 384000;
constexpr int kMostChannels = 32;

// A sample as a finite float.
inline float Finite(float sample) {
  float finite;
  CopyFinite(&sample, 1, &finite);
  return finite;
}
inline float Finite(int16_t sample) {
  return static_cast<float>(sample) * (1.0f / 32768.0f);
}

inline bool IsInvalid(float sample) { return sample - sample != 0.0f; }
inline bool IsInvalid(int16_t) { return false; }

template <typename Sample>
void MixDown(const Sample* frames, size_t num_frames, int num_channels,
             float* mono) {
  const float scale = 1.0f / static_cast<float>(num_channels);
  for (size_t i = 0; i < num_frames; ++i, frames += num_channels) {
    float sum = 0.0f;
    for (int channel = 0; channel < num_channels; ++channel)
      sum += Finite(frames[channel]);
    mono[i] = num_channels == 1 ? sum : sum * scale;
  }
}

absl::StatusOr<Resampler::Progress> CopyMono(absl::Span<const float> mono,
                                             absl::Span<float> out) {
  const size_t count = std::min(mono.size(), out.size());
  std::copy_n(mono.begin(), count, out.begin());
  return Resampler::Progress{count, count};
}

}  // namespace

Resampler::Resampler(const AudioFormat& format, Block block)
    : num_channels_(format.num_channels), block_(std::move(block)) {}
Resampler::Resampler(Resampler&&) noexcept = default;
Resampler::~Resampler() = default;

absl::StatusOr<Resampler> Resampler::Create(const AudioFormat& format,
                                            Memory& memory) {
  if (format.sample_rate < kLeastRate || format.sample_rate > kMostRate) {
    return absl::InvalidArgumentError(
        absl::StrCat("audio of ", format.sample_rate, " Hz; ", kLeastRate,
                     " to ", kMostRate, " Hz can be used"));
  }
  if (format.num_channels < 1 || format.num_channels > kMostChannels) {
    return absl::InvalidArgumentError(
        absl::StrCat("audio of ", format.num_channels, " channels; 1 to ",
                     kMostChannels, " can be used"));
  }
  SPECINFER_ASSIGN_OR_RETURN(
      Block block,
      memory.Allocate(kBlockFrames * sizeof(float), "the resampler"));
  Resampler resampler(format, std::move(block));
  if (format.sample_rate == kSpeechSampleRate) return resampler;
#ifdef SPECINFER_HAS_SOXR
  const soxr_io_spec_t samples = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
  const soxr_runtime_spec_t runtime = soxr_runtime_spec(/*num_threads=*/1);
  soxr_error_t error = nullptr;
  resampler.resampler_.reset(soxr_create(format.sample_rate, kSpeechSampleRate,
                                         /*num_channels=*/1, &error, &samples,
                                         &quality, &runtime));
  if (resampler.resampler_ == nullptr || error != nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "audio of ", format.sample_rate, " Hz cannot be resampled: ",
        error == nullptr ? "soxr gives no reason" : error));
  }
  return resampler;
#else
  return absl::UnimplementedError(absl::StrCat(
      "audio of ", format.sample_rate,
      " Hz: this build has no resampler; give audio of 16000 Hz, or build with "
      "soxr (-DSPECINFER_SOXR=ON)"));
#endif
}

absl::StatusOr<Resampler::Progress> Resampler::Push(
    absl::Span<const float> interleaved, absl::Span<float> out) {
  return PushAny(interleaved, out);
}

absl::StatusOr<Resampler::Progress> Resampler::Push(
    absl::Span<const int16_t> interleaved, absl::Span<float> out) {
  return PushAny(interleaved, out);
}

template <typename Sample>
absl::StatusOr<Resampler::Progress> Resampler::PushAny(
    absl::Span<const Sample> interleaved, absl::Span<float> out) {
  assert(interleaved.size() % num_channels_ == 0);
  float* mono = reinterpret_cast<float*>(block_.data());
  const size_t num_frames = interleaved.size() / num_channels_;
  Progress total;
  while (total.num_frames_taken < num_frames) {
    const Sample* frames =
        interleaved.data() + total.num_frames_taken * num_channels_;
    const size_t count =
        std::min(kBlockFrames, num_frames - total.num_frames_taken);
    MixDown(frames, count, num_channels_, mono);
    const absl::Span<float> room = out.subspan(total.num_samples_given);
    SPECINFER_ASSIGN_OR_RETURN(const Progress step,
                               resampler_ == nullptr
                                   ? CopyMono({mono, count}, room)
                                   : Resample(mono, count, room));
    num_invalid_ +=
        std::count_if(frames, frames + step.num_frames_taken * num_channels_,
                      [](Sample sample) { return IsInvalid(sample); });
    total.num_frames_taken += step.num_frames_taken;
    total.num_samples_given += step.num_samples_given;
    if (step.num_frames_taken < count) break;
  }
  return total;
}

absl::StatusOr<size_t> Resampler::Flush(absl::Span<float> out) {
  if (resampler_ == nullptr) return 0;
  SPECINFER_ASSIGN_OR_RETURN(const Progress rest,
                             Resample(/*mono=*/nullptr, 0, out));
  return rest.num_samples_given;
}

absl::StatusOr<Resampler::Progress> Resampler::Resample(
    [[maybe_unused]] const float* mono, [[maybe_unused]] size_t num_frames,
    absl::Span<float> out) {
  Progress progress;
  if (out.empty()) return progress;  // which soxr does not survive
#ifdef SPECINFER_HAS_SOXR
  const soxr_error_t error = soxr_process(
      resampler_.get(), mono, num_frames, &progress.num_frames_taken,
      out.data(), out.size(), &progress.num_samples_given);
  if (error != nullptr) {
    return absl::InternalError(
        absl::StrCat("audio cannot be resampled: ", error));
  }
#endif
  return progress;
}

void Resampler::Reset() {
  num_invalid_ = 0;
#ifdef SPECINFER_HAS_SOXR
  if (resampler_ != nullptr) soxr_clear(resampler_.get());
#endif
}

void Resampler::Delete::operator()([[maybe_unused]] soxr* resampler) const {
#ifdef SPECINFER_HAS_SOXR
  soxr_delete(resampler);
#endif
}

}  // namespace specinfer
