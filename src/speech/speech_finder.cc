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

std::vector<SpeechSegment> SegmentsOf(absl::Span<const SpeechEvent> events) {
  std::vector<SpeechSegment> speech;
  for (const SpeechEvent& event : events) {
    if (event.kind == SpeechEvent::kBegin)
      speech.push_back({event.sample, event.sample});
    if (event.kind == SpeechEvent::kEnd) speech.back().end = event.sample;
  }
  return speech;
}

void SpeechFinder::Reset() {
  activity_.Reset();
  segmenter_.Reset();
  num_pending_ = 0;
  num_samples_ = 0;
}

void SpeechFinder::Push(absl::Span<const float> samples,
                        std::vector<SpeechEvent>* events) {
  num_samples_ += static_cast<int64_t>(samples.size());
  while (!samples.empty()) {
    const size_t count = std::min(kChunk - num_pending_, samples.size());
    std::copy_n(samples.begin(), count, chunk_.begin() + num_pending_);
    num_pending_ += count;
    samples.remove_prefix(count);
    if (num_pending_ == kChunk) HearChunk(events);
  }
}

void SpeechFinder::Finish(std::vector<SpeechEvent>* events) {
  if (num_pending_ > 0) {
    std::fill(chunk_.begin() + num_pending_, chunk_.end(), 0.0f);
    HearChunk(events);
  }
  const absl::Span<const SpeechEvent> last = segmenter_.Finish(num_samples_);
  events->insert(events->end(), last.begin(), last.end());
}

void SpeechFinder::HearChunk(std::vector<SpeechEvent>* events) {
  const absl::Span<const SpeechEvent> heard =
      segmenter_.Push(activity_.Push(chunk_));
  events->insert(events->end(), heard.begin(), heard.end());
  num_pending_ = 0;
}

}  // namespace specinfer
