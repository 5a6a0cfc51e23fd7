#include "src/speech/time_map.h"

#include <algorithm>
#include <cstdint>

#include "src/speech/audio_samples.h"

namespace specinfer {
namespace {

double Seconds(int64_t samples) {
  return static_cast<double>(samples) / kSpeechSampleRate;
}

}  // namespace

TimeMap::TimeMap(absl::Span<const SpeechSegment> parts) {
  int64_t before = 0;  // samples of the joined speech
  for (const SpeechSegment& part : parts) {
    parts_.push_back({.begin = Seconds(before),
                      .end = Seconds(before + part.size()),
                      .offset = Seconds(part.begin - before)});
    before += part.size();
  }
}

double TimeMap::Part::InRecording(double seconds) const {
  return std::clamp(seconds, begin, end) + offset;
}

const TimeMap::Part& TimeMap::PartOf(double seconds, bool is_end) const {
  const auto found = std::partition_point(
      parts_.begin(), parts_.end() - 1, [&](const Part& part) {
        return is_end ? part.end < seconds : part.end <= seconds;
      });
  return *found;
}

double TimeMap::BeginInRecording(double seconds) const {
  if (parts_.empty()) return seconds;
  return PartOf(seconds, /*is_end=*/false).InRecording(seconds);
}

double TimeMap::EndInRecording(double seconds) const {
  if (parts_.empty()) return seconds;
  return PartOf(seconds, /*is_end=*/true).InRecording(seconds);
}

void TimeMap::RestoreTimes(Segment* segment) const {
  if (parts_.empty()) return;
  segment->start = BeginInRecording(segment->start);
  segment->end = std::max(segment->start, EndInRecording(segment->end));
  for (SpokenWord& word : segment->words) {
    const Part& part = PartOf((word.start + word.end) / 2, /*is_end=*/false);
    word.start = part.InRecording(word.start);
    word.end = part.InRecording(word.end);
  }
  if (segment->words.empty()) return;
  // A segment holds its words, also one of another part than its times.
  segment->start = segment->words.front().start;
  segment->end = segment->words.back().end;
}

}  // namespace specinfer
