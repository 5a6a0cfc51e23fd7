#include "src/speech/live_transcriber.h"

#include <algorithm>
#include <utility>

#include "src/base/clock.h"
#include "src/base/status_macros.h"

namespace specinfer {
namespace {

// One partial text may take this share of the time.
constexpr double kPartialShare = 1.0 / 3.0;
// Sound before an utterance that may turn out to belong to it.
constexpr int64_t kFramesBefore = 2 * kFramesPerSecond;

int64_t FramesOf(int64_t samples) { return samples / kFrameHop; }
int64_t FramesUpTo(int64_t samples) {
  return FramesOf(samples + kFrameHop - 1);
}

}  // namespace

absl::StatusOr<std::unique_ptr<LiveTranscriber>> LiveTranscriber::Create(
    WindowDecoder& decoder, const LiveOptions& options) {
  SPECINFER_ASSIGN_OR_RETURN(std::unique_ptr<LiveWindow> window,
                             LiveWindow::Create(decoder, options.text));
  const Model& model = decoder.model();
  SPECINFER_ASSIGN_OR_RETURN(
      LiveSound sound,
      LiveSound::Create(model.architecture().encoder.mel_bins, options.sound,
                        *model.engine().memory));
  return std::unique_ptr<LiveTranscriber>(
      new LiveTranscriber(options, std::move(sound), std::move(window)));
}

LiveTranscriber::LiveTranscriber(const LiveOptions& options, LiveSound sound,
                                 std::unique_ptr<LiveWindow> window)
    : options_(options), sound_(std::move(sound)), window_(std::move(window)) {}

LiveEvent& LiveTranscriber::Tell(LiveEvent::Kind kind) {
  LiveEvent& event = events_.emplace_back();
  event.kind = kind;
  event.times = std::exchange(times_, {});
  return event;
}

absl::Status LiveTranscriber::Step(const PassControl& control,
                                   LiveEvent* event) {
  while (true) {
    if (!events_.empty()) {
      *event = std::move(events_.front());
      events_.pop_front();
      return absl::OkStatus();
    }
    if (work_ != Work::kNone) {
      SPECINFER_RETURN_IF_ERROR(DoWork(control));
      continue;
    }
    SPECINFER_ASSIGN_OR_RETURN(const bool has_heard, Hear());
    if (has_heard) {
      if (events_.empty() && NowMicros() >= control.deadline_us)
        return absl::DeadlineExceededError("the time to listen is up");
      continue;
    }
    if (!IsPartialDue()) break;
    last_partial_ = sound_.num_samples();
    BeginWork(Work::kPartial, FramesOf(sound_.num_samples()));
  }
  *event = {};
  return absl::OkStatus();
}

absl::StatusOr<bool> LiveTranscriber::Hear() {
  if (has_ended_) return false;
  SPECINFER_ASSIGN_OR_RETURN(const SoundEvent heard, sound_.Hear());
  switch (heard.kind) {
    case SoundEvent::kNothing:
      return false;
    case SoundEvent::kSpeechBegin:
      is_in_speech_ = true;
      if (!is_speaking_) BeginUtterance(heard.sample);
      break;
    case SoundEvent::kSpeechEnd:
      is_in_speech_ = false;
      speech_end_ = heard.sample;
      break;
    case SoundEvent::kEndpoint:
      if (!is_speaking_) break;
      if (is_in_speech_) speech_end_ = heard.sample;
      has_endpoint_ = true;
      BeginWork(Work::kFinal, FramesUpTo(speech_end_));
      break;
    case SoundEvent::kSound:
      if (!is_speaking_ || !IsWindowFull()) break;
      window_->BeginAt(first_frame_);
      if (IsWindowFull())
        BeginWork(Work::kFinal, FramesOf(sound_.num_samples()));
      break;
    case SoundEvent::kPause:
      window_->Reset();
      break;
    case SoundEvent::kEnd:
      has_ended_ = true;
      Tell(LiveEvent::Kind::kEnd);
      break;
  }
  return true;
}

void LiveTranscriber::BeginUtterance(int64_t sample) {
  const double carried_frames =
      static_cast<double>(FramesOf(sample) - window_->begin());
  const double silent_samples = static_cast<double>(sample - speech_end_);
  is_speaking_ = true;
  has_endpoint_ = false;
  first_frame_ = FramesOf(sample);
  if (!window_->carries() ||
      carried_frames > options_.max_carried_seconds * kFramesPerSecond ||
      silent_samples > options_.max_silence_seconds * kSpeechSampleRate) {
    window_->BeginAt(first_frame_);
    sound_.DropBefore(first_frame_);
  }
  last_partial_ = sample;
  partial_seconds_ = options_.partial_seconds;
  Tell(LiveEvent::Kind::kSpeechBegin).segment.start = sound_.Seconds(sample);
}

bool LiveTranscriber::IsWindowFull() const {
  return FramesOf(sound_.num_samples()) - window_->begin() >=
         window_->max_frames();
}

bool LiveTranscriber::IsPartialDue() const {
  if (!is_speaking_ || options_.partial_seconds <= 0.0 || !window_->HasRoom())
    return false;
  const int64_t end = is_in_speech_ ? sound_.num_samples() : speech_end_;
  return static_cast<double>(end - last_partial_) >=
         partial_seconds_ * kSpeechSampleRate;
}

void LiveTranscriber::BeginWork(Work work, int64_t end_frame) {
  work_ = work;
  end_frame_ = end_frame;
  work_us_ = 0;
  if (work == Work::kPartial) {
    window_->BeginPartial(first_frame_, end_frame);
  } else {
    window_->BeginFinal(first_frame_, end_frame);
  }
}

absl::Status LiveTranscriber::DoWork(const PassControl& control) {
  const int64_t start_us = NowMicros();
  const absl::Status status = window_->Work(sound_, control);
  work_us_ += NowMicros() - start_us;
  if (absl::IsDeadlineExceeded(status)) return status;
  const Work work = std::exchange(work_, Work::kNone);
  times_.Add(window_->times());
  if (work == Work::kFinal) {
    FinishFinal(/*is_lost=*/!status.ok());
  } else {
    partial_seconds_ =
        std::max(options_.partial_seconds,
                 static_cast<double>(work_us_) * 1e-6 / kPartialShare);
    if (status.ok()) TellPartial();
  }
  return status;
}

void LiveTranscriber::TellPartial() {
  Segment segment;
  size_t stable_length = 0;
  if (!window_->TakePartial(&segment, &stable_length)) return;
  TellSegment(LiveEvent::Kind::kPartial, std::move(segment));
  events_.back().stable_length = stable_length;
}

void LiveTranscriber::TellSegment(LiveEvent::Kind kind, Segment segment) {
  const double stretch_start = sound_.Seconds(0);
  segment.start += stretch_start;
  segment.end += stretch_start;
  for (SpokenWord& word : segment.words) {
    word.start += stretch_start;
    word.end += stretch_start;
  }
  Tell(kind).segment = std::move(segment);
}

void LiveTranscriber::FinishFinal(bool is_lost) {
  if (is_lost) {
    window_->Forget();
    first_frame_ = end_frame_;
  } else {
    std::vector<Segment> segments;
    first_frame_ = window_->TakeFinal(&segments);
    for (Segment& segment : segments)
      TellSegment(LiveEvent::Kind::kFinal, std::move(segment));
  }
  last_partial_ = first_frame_ * kFrameHop;
  if (has_endpoint_ && first_frame_ >= FramesUpTo(speech_end_)) {
    EndUtterance();
    return;
  }
  // What is left of the utterance is heard by itself.
  window_->BeginAt(first_frame_);
  if (has_endpoint_) BeginWork(Work::kFinal, FramesUpTo(speech_end_));
}

void LiveTranscriber::EndUtterance() {
  is_speaking_ = has_endpoint_ = false;
  sound_.DropBefore(std::min(FramesOf(sound_.num_samples()) - kFramesBefore,
                             window_->begin()));
  Tell(LiveEvent::Kind::kSpeechEnd).segment.end = sound_.Seconds(speech_end_);
}

}  // namespace specinfer
