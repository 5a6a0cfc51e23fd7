// Times in speech that was joined without the silence between, brought back to
// the recording.
#ifndef SPECINFER_SRC_SPEECH_TIME_MAP_H_
#define SPECINFER_SRC_SPEECH_TIME_MAP_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

#include "src/speech/speech_segmenter.h"
#include "src/speech/transcript.h"

namespace specinfer {

// All times are in seconds.
class TimeMap {
 public:
  // Of parts of a recording, joined in this order.
  explicit TimeMap(absl::Span<const SpeechSegment> parts);

  // Where what begins, or ends, at `seconds` of the joined speech does so in
  // the recording: where two parts meet the one is in the later, the other in
  // the earlier. Times past the last part stay at its end.
  double BeginInRecording(double seconds) const;
  double EndInRecording(double seconds) const;

  // Brings the times of a segment and of its words back. A word, which nobody
  // draws over seconds of silence, lies in the part that has its middle.
  void RestoreTimes(Segment* segment) const;

 private:
  struct Part {
    double begin, end;  // in the joined speech
    double offset;      // of the recording's time

    double InRecording(double seconds) const;
  };
  // REQUIRES: there are parts.
  const Part& PartOf(double seconds, bool is_end) const;

  std::vector<Part> parts_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_TIME_MAP_H_
