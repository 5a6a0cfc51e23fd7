#include "src/speech/speech_finder.h"

#include <algorithm>

#include "src/base/status_macros.h"

namespace specinfer {

absl::StatusOr<SpeechFinder> SpeechFinder::Create(
    std::shared_ptr<const VoiceNetwork> network,
    const SegmenterOptions& options, Memory& memory) {
  SPECINFER_ASSIGN_OR_RETURN(VoiceActivity activity,
                             VoiceActivity::Create(*network, memory));
  return SpeechFinder(std::move(network), options, std::move(activity));
}

void SpeechFinder::Reset() {
  activity_.Reset();
  segmenter_.Reset();
  num_pending_ = 0;
  num_samples_ = 0;
  speech_.clear();
}

void SpeechFinder::Push(absl::Span<const float> samples) {
  num_samples_ += static_cast<int64_t>(samples.size());
  while (!samples.empty()) {
    const size_t count = std::min(kChunk - num_pending_, samples.size());
    std::copy_n(samples.begin(), count, chunk_.begin() + num_pending_);
    num_pending_ += count;
    samples.remove_prefix(count);
    if (num_pending_ == kChunk) HearChunk();
  }
}

std::vector<SpeechSegment> SpeechFinder::Finish() {
  if (num_pending_ > 0) {
    std::fill(chunk_.begin() + num_pending_, chunk_.end(), 0.0f);
    HearChunk();
  }
  Take(segmenter_.Finish(num_samples_));
  return std::move(speech_);
}

void SpeechFinder::HearChunk() {
  Take(segmenter_.Push(activity_.Push(chunk_)));
  num_pending_ = 0;
}

void SpeechFinder::Take(absl::Span<const SpeechEvent> events) {
  for (const SpeechEvent& event : events) {
    if (event.kind == SpeechEvent::kBegin)
      speech_.push_back({event.sample, event.sample});
    if (event.kind == SpeechEvent::kEnd) speech_.back().end = event.sample;
  }
}

}  // namespace specinfer
