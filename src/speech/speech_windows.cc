#include "src/speech/speech_windows.h"

#include <algorithm>
#include <cassert>

namespace specinfer {

int64_t SpeechWindow::num_samples() const {
  int64_t sum = 0;
  for (const SpeechSegment& segment : segments) sum += segment.size();
  return sum;
}

double TimeMap::InRecording(double seconds, bool is_end) const {
  double before = 0.0;  // samples of the window before the segment
  const double place = std::max(seconds, 0.0) * kSpeechSampleRate;
  for (const SpeechSegment& segment : window_->segments) {
    const double inside = place - before;
    const double size = static_cast<double>(segment.size());
    if (inside < size || (is_end && inside == size)) {
      return (static_cast<double>(segment.begin) + inside) / kSpeechSampleRate;
    }
    before += size;
  }
  return window_->segments.empty()
             ? seconds
             : static_cast<double>(window_->segments.back().end) /
                   kSpeechSampleRate;
}

double TimeMap::BeginInRecording(double seconds) const {
  return InRecording(seconds, /*is_end=*/false);
}

double TimeMap::EndInRecording(double seconds) const {
  return InRecording(seconds, /*is_end=*/true);
}

std::vector<SpeechSegment> FindSpeech(absl::Span<const float> samples,
                                      const SegmenterOptions& options,
                                      VoiceActivity& activity) {
  constexpr size_t kChunk = VoiceActivity::kChunkSamples;
  static_assert(kChunk == SpeechSegmenter::kChunkSamples);
  SpeechSegmenter segmenter(options);
  std::vector<SpeechSegment> segments;
  const auto take = [&](absl::Span<const SpeechEvent> events) {
    for (const SpeechEvent& event : events) {
      if (event.kind == SpeechEvent::kBegin)
        segments.push_back({event.sample, event.sample});
      if (event.kind == SpeechEvent::kEnd) segments.back().end = event.sample;
    }
  };
  activity.Reset();
  for (size_t begin = 0; begin < samples.size(); begin += kChunk) {
    float chunk[kChunk] = {};
    std::copy_n(samples.begin() + begin,
                std::min(kChunk, samples.size() - begin), chunk);
    take(segmenter.Push(activity.Push(chunk)));
  }
  take(segmenter.Finish(static_cast<int64_t>(samples.size())));
  return segments;
}

std::vector<SpeechWindow> PackSpeech(absl::Span<const SpeechSegment> segments,
                                     int64_t max_samples) {
  std::vector<SpeechWindow> windows;
  int64_t room = 0;
  for (SpeechSegment left : segments) {
    while (left.size() > 0) {
      if (left.size() > room && room < max_samples) {
        windows.emplace_back();
        room = max_samples;
      }
      const SpeechSegment part = {left.begin,
                                  std::min(left.end, left.begin + room)};
      windows.back().segments.push_back(part);
      left.begin = part.end;
      room -= part.size();
    }
  }
  return windows;
}

std::vector<SpeechWindow> SplitSpeech(absl::Span<const float> samples,
                                      SegmenterOptions options,
                                      double max_seconds,
                                      VoiceActivity& activity) {
  options.max_speech_seconds =
      std::min(options.max_speech_seconds, max_seconds);
  return PackSpeech(FindSpeech(samples, options, activity),
                    static_cast<int64_t>(max_seconds * kSpeechSampleRate));
}

void CopyWindow(absl::Span<const float> samples, const SpeechWindow& window,
                absl::Span<float> out) {
  assert(static_cast<int64_t>(out.size()) >= window.num_samples());
  auto to = out.begin();
  for (const SpeechSegment& segment : window.segments) {
    const auto part = samples.subspan(static_cast<size_t>(segment.begin),
                                      static_cast<size_t>(segment.size()));
    to = std::copy(part.begin(), part.end(), to);
  }
}

}  // namespace specinfer
