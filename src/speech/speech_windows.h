// The speech of a recording, packed into windows without the silence between,
// and the way back to the recording's own times.
#ifndef SPECINFER_SRC_SPEECH_SPEECH_WINDOWS_H_
#define SPECINFER_SRC_SPEECH_SPEECH_WINDOWS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "src/speech/speech_segmenter.h"
#include "src/speech/voice_activity.h"

namespace specinfer {

// Segments of a recording, one after another.
struct SpeechWindow {
  std::vector<SpeechSegment> segments;

  int64_t num_samples() const;
};

// Where the time of a window is in the recording. Both are in seconds.
class TimeMap {
 public:
  explicit TimeMap(const SpeechWindow& window) : window_(&window) {}

  // Of something that begins, or ends, at `seconds` of the window: where two
  // segments meet the one is in the later, the other in the earlier. Times
  // past the last segment stay at its end.
  double BeginInRecording(double seconds) const;
  double EndInRecording(double seconds) const;

 private:
  double InRecording(double seconds, bool is_end) const;

  const SpeechWindow* window_;
};

// The speech in `samples`, in order. Resets `activity` before and leaves its
// state after the recording.
std::vector<SpeechSegment> FindSpeech(absl::Span<const float> samples,
                                      const SegmenterOptions& options,
                                      VoiceActivity& activity);

// As many segments in each window as it has room for; one that is longer than a
// window is cut.
// REQUIRES: max_samples >= 1.
std::vector<SpeechWindow> PackSpeech(absl::Span<const SpeechSegment> segments,
                                     int64_t max_samples);

// The speech in `samples` in windows of at most `max_seconds`; speech is cut
// where it is longer.
std::vector<SpeechWindow> SplitSpeech(absl::Span<const float> samples,
                                      SegmenterOptions options,
                                      double max_seconds,
                                      VoiceActivity& activity);

// The samples of a window.
// REQUIRES: the window is of that recording; out.size() >= num_samples().
void CopyWindow(absl::Span<const float> samples, const SpeechWindow& window,
                absl::Span<float> out);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_SPEECH_WINDOWS_H_
