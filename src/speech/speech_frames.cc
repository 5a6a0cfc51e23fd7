#include "src/speech/speech_frames.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "src/base/status_macros.h"
#include "src/base/text.h"

namespace specinfer {
namespace {

constexpr double kMaxHours = 24.0;
static_assert(kMaxHours * 3600.0 * kFramesPerSecond < INT32_MAX);

// Errors: INVALID_ARGUMENT (half a frame, too long).
absl::StatusOr<double> SecondsOf(absl::Span<const float> samples,
                                 const AudioFormat& format) {
  const size_t num_channels = static_cast<size_t>(format.num_channels);
  if (samples.size() % num_channels != 0) {
    return absl::InvalidArgumentError(Cat(samples.size(),
                                          " samples are no multiple of ",
                                          num_channels, " channels"));
  }
  const double seconds =
      static_cast<double>(samples.size() / num_channels) / format.sample_rate;
  if (seconds > kMaxHours * 3600.0) {
    return absl::InvalidArgumentError(Cat("the recording takes ",
                                          seconds / 3600.0,
                                          " hours, the limit is 24; cut it"));
  }
  return seconds;
}

}  // namespace

absl::Status SpeechFrames::UseVoiceActivity(
    std::shared_ptr<const VoiceNetwork> network) {
  if (network == nullptr) {
    finder_.reset();
    return absl::OkStatus();
  }
  SPECINFER_ASSIGN_OR_RETURN(
      SpeechFinder finder,
      SpeechFinder::Create(std::move(network), kRecordingSpeech, *memory_));
  finder_.emplace(std::move(finder));
  return absl::OkStatus();
}

template <typename Visit>
absl::Status SpeechFrames::ForEachBlock(absl::Span<const float> samples,
                                        int num_channels,
                                        const std::atomic<bool>& is_cancelled,
                                        Resampler& resampler, Visit&& visit) {
  resampler.Reset();
  const absl::Span<float> block = absl::MakeSpan(block_);
  while (!samples.empty()) {
    if (is_cancelled.load(std::memory_order_relaxed))
      return absl::CancelledError("the transcription was cancelled");
    SPECINFER_ASSIGN_OR_RETURN(const Resampler::Progress progress,
                               resampler.Push(samples, block));
    SPECINFER_RETURN_IF_ERROR(visit(block.first(progress.num_samples_given)));
    samples.remove_prefix(progress.num_frames_taken *
                          static_cast<size_t>(num_channels));
  }
  size_t num_given = 0;
  do {
    SPECINFER_ASSIGN_OR_RETURN(num_given, resampler.Flush(block));
    SPECINFER_RETURN_IF_ERROR(visit(block.first(num_given)));
  } while (num_given > 0);
  return absl::OkStatus();
}

// All frames are kept, so that they are normalised by the loudest one. Where
// speech must be found first, the recording is resampled twice: that takes
// little, and memory for the speech alone.
absl::Status SpeechFrames::Read(absl::Span<const float> samples,
                                const AudioFormat& format,
                                const std::atomic<bool>& is_cancelled) {
  num_samples_ = num_speech_samples_ = 0;
  SPECINFER_ASSIGN_OR_RETURN(Resampler resampler,
                             Resampler::Create(format, *memory_));
  SPECINFER_ASSIGN_OR_RETURN(double seconds, SecondsOf(samples, format));
  speech_ = {{0, std::numeric_limits<int64_t>::max()}};
  if (finder_.has_value()) {
    std::vector<SpeechEvent> events;
    finder_->Reset();
    SPECINFER_RETURN_IF_ERROR(ForEachBlock(samples, format.num_channels,
                                           is_cancelled, resampler,
                                           [&](absl::Span<const float> block) {
                                             finder_->Push(block, &events);
                                             return absl::OkStatus();
                                           }));
    finder_->Finish(&events);
    speech_ = SegmentsOf(events);
    seconds = 0.0;
    for (const SpeechSegment& part : speech_) seconds += InSeconds(part.size());
  }
  SPECINFER_RETURN_IF_ERROR(CreateFrames(seconds));
  SPECINFER_RETURN_IF_ERROR(ForEachBlock(
      samples, format.num_channels, is_cancelled, resampler,
      [this](absl::Span<const float> block) { return PushSpeech(block); }));
  if (!finder_.has_value()) speech_.back().end = num_samples_;
  times_ = TimeMap(speech_);
  num_speech_samples_ = mel_->num_samples();
  // Completes the last frames, which see samples past the end.
  constexpr float kSilence[2 * kFrameHop] = {};
  return Push(kSilence);
}

absl::Status SpeechFrames::CreateFrames(double seconds) {
  mel_.reset();
  SPECINFER_ASSIGN_OR_RETURN(
      MelStream mel,
      MelStream::Create(num_mels_,
                        static_cast<int>(seconds * kFramesPerSecond) + 8,
                        *memory_));
  mel_ = std::make_unique<MelStream>(std::move(mel));
  return absl::OkStatus();
}

absl::Status SpeechFrames::Push(absl::Span<const float> samples) {
  while (!samples.empty()) {
    const size_t num_taken = mel_->Push(samples);
    if (num_taken == 0)
      return absl::InternalError("the frames of a recording did not fit");
    samples.remove_prefix(num_taken);
  }
  return absl::OkStatus();
}

absl::Status SpeechFrames::PushSpeech(absl::Span<const float> samples) {
  const int64_t begin = num_samples_;
  const int64_t end = begin + static_cast<int64_t>(samples.size());
  num_samples_ = end;
  auto part = std::partition_point(
      speech_.begin(), speech_.end(),
      [begin](const SpeechSegment& speech) { return speech.end <= begin; });
  for (; part != speech_.end() && part->begin < end; ++part) {
    const int64_t from = std::max(part->begin, begin);
    const int64_t to = std::min(part->end, end);
    SPECINFER_RETURN_IF_ERROR(Push(samples.subspan(
        static_cast<size_t>(from - begin), static_cast<size_t>(to - from))));
  }
  return absl::OkStatus();
}

void SpeechFrames::CopyWindow(const FrameWindow& window,
                              absl::Span<float> frames) {
  mel_->CopyWindow(window.first_frame,
                   static_cast<int>(frames.size()) / num_mels_, frames,
                   mel_->peak());
  std::fill(frames.begin() + int64_t{window.num_frames} * num_mels_,
            frames.end(), 0.0f);
}

}  // namespace specinfer
