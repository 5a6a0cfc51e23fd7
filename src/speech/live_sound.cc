#include "src/speech/live_sound.h"

#include <algorithm>
#include <utility>

#include "src/base/status_macros.h"

namespace specinfer {
namespace {

constexpr size_t kPoppedFrames = 1024;
// A window, and what is heard while it is waited for.
constexpr int kMaxFrames = 3000 + 1000;

}  // namespace

LiveSound::LiveSound(const LiveSoundOptions& options, AudioInput input,
                     Resampler resampler, MelStream mel,
                     std::optional<SpeechFinder> finder, Block block)
    : format_(options.format),
      input_(std::move(input)),
      resampler_(std::move(resampler)),
      mel_(std::move(mel)),
      finder_(std::move(finder)),
      popped_block_(std::move(block)) {}

absl::StatusOr<LiveSound> LiveSound::Create(int num_mels,
                                            const LiveSoundOptions& options,
                                            Memory& memory) {
  SPECINFER_ASSIGN_OR_RETURN(Resampler resampler,
                             Resampler::Create(options.format, memory));
  SPECINFER_ASSIGN_OR_RETURN(
      AudioInput input,
      AudioInput::Create(options.format, options.max_backlog_seconds, memory));
  SPECINFER_ASSIGN_OR_RETURN(MelStream mel,
                             MelStream::Create(num_mels, kMaxFrames, memory));
  std::optional<SpeechFinder> finder;
  if (options.voice != nullptr) {
    SPECINFER_ASSIGN_OR_RETURN(
        SpeechFinder created,
        SpeechFinder::Create(options.voice, options.segmenter, memory));
    finder.emplace(std::move(created));
  }
  SPECINFER_ASSIGN_OR_RETURN(
      Block block,
      memory.Allocate(kPoppedFrames *
                          static_cast<size_t>(options.format.num_channels) *
                          sizeof(float),
                      "samples to resample"));
  return LiveSound(options, std::move(input), std::move(resampler),
                   std::move(mel), std::move(finder), std::move(block));
}

void LiveSound::BeginStretch() {
  mel_.Reset();
  resampler_.Reset();
  if (finder_.has_value()) finder_->Reset();
  has_begun_ = is_speaking_ = false;
}

absl::StatusOr<SoundEvent> LiveSound::Hear() {
  if (events_.empty()) {
    SPECINFER_ASSIGN_OR_RETURN(const bool is_full, FillChunk());
    if (is_full) SPECINFER_RETURN_IF_ERROR(HearChunk());
  }
  if (events_.empty()) return SoundEvent{};
  const SoundEvent event = events_.front();
  events_.pop_front();
  if (event.kind == SoundEvent::kPause) BeginStretch();
  return event;
}

absl::StatusOr<bool> LiveSound::FillChunk() {
  const size_t num_channels = static_cast<size_t>(format_.num_channels);
  while (chunk_size_ < chunk_.size()) {
    if (popped_.empty()) {
      const absl::Span<float> all(
          reinterpret_cast<float*>(popped_block_.data()),
          kPoppedFrames * num_channels);
      size_t count = 0;
      const AudioInput::Next next = input_.Pop(all, &count);
      if (next == AudioInput::Next::kNothing) return false;
      if (next == AudioInput::Next::kPause || next == AudioInput::Next::kEnd) {
        SPECINFER_RETURN_IF_ERROR(EndStretch(next == AudioInput::Next::kEnd
                                                 ? SoundEvent::kEnd
                                                 : SoundEvent::kPause));
        return false;
      }
      if (!has_begun_) {
        has_begun_ = true;
        start_seconds_ =
            static_cast<double>(input_.position() - count / num_channels) /
            format_.sample_rate;
      }
      popped_ = all.first(count);
    }
    SPECINFER_ASSIGN_OR_RETURN(
        const Resampler::Progress progress,
        resampler_.Push(absl::Span<const float>(popped_),
                        absl::MakeSpan(chunk_).subspan(chunk_size_)));
    popped_.remove_prefix(progress.num_frames_taken * num_channels);
    chunk_size_ += progress.num_samples_given;
  }
  return true;
}

absl::Status LiveSound::HearChunk() {
  const absl::Span<const float> samples(chunk_.data(), chunk_size_);
  const int64_t begin = mel_.num_samples();
  if (mel_.num_frames() - mel_.first_frame() > kMaxFrames - 8)
    DropBefore(mel_.num_frames() - kMaxFrames / 2);
  if (mel_.Push(samples) != samples.size())
    return absl::InternalError("the frames of live sound did not fit");
  chunk_size_ = 0;
  Tell(SoundEvent::kSound, mel_.num_samples());
  if (finder_.has_value()) {
    finder_->Push(samples, &speech_events_);
    TellSpeech();
  } else if (!is_speaking_) {
    is_speaking_ = true;
    Tell(SoundEvent::kSpeechBegin, begin);
  }
  return absl::OkStatus();
}

void LiveSound::TellSpeech() {
  for (const SpeechEvent& event : speech_events_) {
    switch (event.kind) {
      case SpeechEvent::kBegin:
        Tell(SoundEvent::kSpeechBegin, event.sample);
        is_speaking_ = true;
        break;
      case SpeechEvent::kEnd:
        Tell(SoundEvent::kSpeechEnd, event.sample);
        break;
      case SpeechEvent::kEndpoint:
        Tell(SoundEvent::kEndpoint, event.sample);
        is_speaking_ = false;
        break;
    }
  }
  speech_events_.clear();
}

absl::Status LiveSound::EndStretch(SoundEvent::Kind kind) {
  size_t num_given = 0;
  do {
    if (!has_begun_) break;
    SPECINFER_ASSIGN_OR_RETURN(
        num_given,
        resampler_.Flush(absl::MakeSpan(chunk_).subspan(chunk_size_)));
    chunk_size_ += num_given;
    if (chunk_size_ > 0) SPECINFER_RETURN_IF_ERROR(HearChunk());
  } while (num_given > 0);
  if (finder_.has_value()) {
    finder_->Finish(&speech_events_);
    TellSpeech();
  }
  if (is_speaking_) Tell(SoundEvent::kEndpoint, mel_.num_samples());
  has_begun_ = is_speaking_ = false;
  Tell(kind, mel_.num_samples());
  return absl::OkStatus();
}

void LiveSound::CopyWindow(int64_t first, int num_frames, int count,
                           absl::Span<float> frames) {
  mel_.CopyWindow(first, count, frames, mel_.peak());
  std::fill(frames.begin() + int64_t{num_frames} * mel_.num_mels(),
            frames.end(), 0.0f);
}

void LiveSound::DropBefore(int64_t frame) { mel_.DropBefore(frame); }

}  // namespace specinfer
