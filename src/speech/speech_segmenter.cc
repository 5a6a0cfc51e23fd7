#include "src/speech/speech_segmenter.h"

#include <algorithm>

namespace specinfer {

SpeechSegmenter::SpeechSegmenter(const SegmenterOptions& options)
    : threshold_(options.threshold),
      negative_threshold_(options.negative_threshold >= 0.0f
                              ? options.negative_threshold
                              : std::max(options.threshold - 0.15, 0.01)),
      min_speech_(kSpeechSampleRate * options.min_speech_seconds),
      min_silence_(kSpeechSampleRate * options.min_silence_seconds),
      min_cut_(kSpeechSampleRate * options.min_cut_seconds),
      max_speech_(kSpeechSampleRate * (options.max_speech_seconds -
                                       2 * options.padding_seconds) -
                  kChunkSamples),
      padding_(
          static_cast<int64_t>(kSpeechSampleRate * options.padding_seconds)),
      endpoint_(kSpeechSampleRate * options.endpoint_seconds) {}

void SpeechSegmenter::Reset() {
  num_events_ = 0;
  chunk_begin_ = 0;
  is_speaking_ = is_confirmed_ = false;
  silence_begin_ = longest_begin_ = untold_end_ = silent_since_ = kNone;
  longest_size_ = 0;
}

absl::Span<const SpeechEvent> SpeechSegmenter::Push(float probability) {
  num_events_ = 0;
  Hear(probability);
  chunk_begin_ += kChunkSamples;
  TellWhatIsCertain();
  return {events_.data(), static_cast<size_t>(num_events_)};
}

void SpeechSegmenter::Hear(float probability) {
  if (probability >= threshold_ && silence_begin_ != kNone) {
    const int64_t size = chunk_begin_ - silence_begin_;
    if (static_cast<double>(size) > min_cut_ && size > longest_size_) {
      longest_begin_ = silence_begin_;
      longest_size_ = size;
    }
    silence_begin_ = kNone;
  }
  if (probability >= threshold_ && !is_speaking_) {
    BeginSpeech(chunk_begin_);
    return;
  }
  if (is_speaking_ &&
      static_cast<double>(chunk_begin_ - begin_) > max_speech_) {
    CutLongSpeech();
  }
  if (is_speaking_ && probability < negative_threshold_) {
    if (silence_begin_ == kNone) silence_begin_ = chunk_begin_;
    if (static_cast<double>(chunk_begin_ - silence_begin_) >= min_silence_)
      EndSpeech(silence_begin_);
  }
}

void SpeechSegmenter::BeginSpeech(int64_t begin) {
  is_speaking_ = true;
  is_confirmed_ = false;
  begin_ = begin;
  silence_begin_ = longest_begin_ = kNone;
  longest_size_ = 0;
}

// Ends this speech, which is none if it was too short to be told.
void SpeechSegmenter::EndSpeech(int64_t end) {
  if (static_cast<double>(end - begin_) > min_speech_) Confirm();
  is_speaking_ = false;
  silence_begin_ = kNone;
  if (!is_confirmed_) return;
  untold_end_ = silent_since_ = end;
}

void SpeechSegmenter::CutLongSpeech() {
  Confirm();
  if (longest_begin_ != kNone) {
    const int64_t next_begin = longest_begin_ + longest_size_;
    EndSpeech(longest_begin_);
    BeginSpeech(next_begin);
  } else {
    EndSpeech(chunk_begin_);
  }
}

void SpeechSegmenter::TellEnd(int64_t padded_end) {
  Tell(SpeechEvent::kEnd, padded_end);
  untold_end_ = kNone;
}

void SpeechSegmenter::Confirm() {
  if (is_confirmed_) return;
  is_confirmed_ = true;
  int64_t padding = padding_;
  if (untold_end_ != kNone) {
    // Neighbours share the silence between them.
    const int64_t between = begin_ - untold_end_;
    if (between < 2 * padding_) padding = between / 2;
    TellEnd(untold_end_ + padding);
  }
  Tell(SpeechEvent::kBegin, std::max<int64_t>(0, begin_ - padding));
}

void SpeechSegmenter::TellWhatIsCertain() {
  // If the audio ends with this chunk, it may have 511 samples fewer.
  const int64_t least_end = chunk_begin_ - (kChunkSamples - 1);
  // Speech that goes on cannot end before that.
  if (is_speaking_ && silence_begin_ == kNone &&
      static_cast<double>(least_end - begin_) > min_speech_) {
    Confirm();
  }
  // Speech that may yet be told may be near the last end.
  const int64_t next_begin = is_speaking_ ? begin_ : chunk_begin_;
  if (untold_end_ != kNone && next_begin - untold_end_ >= 2 * padding_ &&
      least_end - untold_end_ >= padding_) {
    TellEnd(untold_end_ + padding_);
  }
  if (!is_speaking_ && silent_since_ != kNone && untold_end_ == kNone &&
      static_cast<double>(chunk_begin_ - silent_since_) >= endpoint_) {
    Tell(SpeechEvent::kEndpoint, chunk_begin_);
    silent_since_ = kNone;
  }
}

absl::Span<const SpeechEvent> SpeechSegmenter::Finish(int64_t num_samples) {
  num_events_ = 0;
  if (is_speaking_) EndSpeech(num_samples);
  if (untold_end_ != kNone)
    TellEnd(std::min(num_samples, untold_end_ + padding_));
  return {events_.data(), static_cast<size_t>(num_events_)};
}

}  // namespace specinfer
