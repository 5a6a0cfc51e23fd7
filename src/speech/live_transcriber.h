// Live sound to text: partial texts while someone speaks, final ones at the end
// of each utterance.
#ifndef SPECINFER_SRC_SPEECH_LIVE_TRANSCRIBER_H_
#define SPECINFER_SRC_SPEECH_LIVE_TRANSCRIBER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/speech/live_sound.h"
#include "src/speech/live_window.h"
#include "src/speech/transcript.h"
#include "src/speech/window_decoder.h"

namespace specinfer {

struct LiveOptions {
  LiveSoundOptions sound;
  LiveTextOptions text;
  // Of sound between partial texts, at least; 0: there are none. They come
  // less often where one takes long.
  double partial_seconds = 0.5;
  // An utterance is heard together with those before it, as far as they begin
  // within these seconds of it and less than `max_silence_seconds` lie between.
  double max_carried_seconds = 12.0;
  double max_silence_seconds = 2.0;
};

struct LiveEvent {
  enum class Kind : uint8_t {
    kNothing,      // there is nothing to do before more sound comes
    kSpeechBegin,  // at segment.start
    kPartial,      // what the utterance is so far
    kFinal,        // a segment of it, which replaces the partial text
    kSpeechEnd,    // the utterance ends at segment.end; all of it was final
    kEnd,          // of the audio
  };
  Kind kind = Kind::kNothing;
  // Times are seconds of what was pushed.
  Segment segment;
  // Of the segment's text, the bytes that partial texts to come will keep.
  size_t stable_length = 0;
  WindowTimes times;  // of the work since the last event
};

// The parts of LiveSound's input may be called from their threads; all else
// from one thread at a time.
class LiveTranscriber {
 public:
  // `decoder` must outlive it, and is its alone meanwhile.
  // Errors: INVALID_ARGUMENT (language, format), UNIMPLEMENTED (a build without
  // a resampler), FAILED_PRECONDITION (words of a model whose alignment heads
  // nobody names), RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<LiveTranscriber>> Create(
      WindowDecoder& decoder, const LiveOptions& options);

  AudioInput& input() { return sound_.input(); }

  // Hears and works until there is something to tell. After DEADLINE_EXCEEDED
  // the next call goes on; after CANCELLED it goes on with what comes after the
  // text that was in work, which is lost.
  // Errors: DEADLINE_EXCEEDED, CANCELLED, RESOURCE_EXHAUSTED.
  absl::Status Step(const PassControl& control, LiveEvent* event);

 private:
  // What is being done about a stretch of frames.
  enum class Work : uint8_t { kNone, kPartial, kFinal };

  LiveTranscriber(const LiveOptions& options, LiveSound sound,
                  std::unique_ptr<LiveWindow> window);
  // Hears a little. False: there is nothing to hear now.
  absl::StatusOr<bool> Hear();
  void BeginUtterance(int64_t sample);
  bool IsWindowFull() const;
  bool IsPartialDue() const;
  void BeginWork(Work work, int64_t end_frame);
  absl::Status DoWork(const PassControl& control);
  void TellPartial();
  void FinishFinal(bool is_lost);
  void EndUtterance();
  LiveEvent& Tell(LiveEvent::Kind kind);
  void TellSegment(LiveEvent::Kind kind, Segment segment);

  const LiveOptions options_;
  LiveSound sound_;
  std::unique_ptr<LiveWindow> window_;
  std::deque<LiveEvent> events_;
  bool has_ended_ = false;

  // The utterance. Frames and samples are those of the stretch of sound.
  bool is_speaking_ = false;
  bool is_in_speech_ = false;     // no end was told since the last begin
  bool has_endpoint_ = false;     // what is left of it is made final
  int64_t speech_end_ = 0;        // the last end that was told, in samples
  int64_t first_frame_ = 0;       // of what is not final
  int64_t last_partial_ = 0;      // samples that the last partial text heard
  double partial_seconds_ = 0.0;  // till the next one

  Work work_ = Work::kNone;
  int64_t end_frame_ = 0;  // of what is in work
  int64_t work_us_ = 0;
  WindowTimes times_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_LIVE_TRANSCRIBER_H_
