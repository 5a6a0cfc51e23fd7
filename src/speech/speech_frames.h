// The log-mel frames of a whole recording, or of the speech in it alone.
#ifndef SPECINFER_SRC_SPEECH_SPEECH_FRAMES_H_
#define SPECINFER_SRC_SPEECH_SPEECH_FRAMES_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/speech/log_mel.h"
#include "src/speech/resampler.h"
#include "src/speech/speech_finder.h"
#include "src/speech/time_map.h"
#include "src/speech/voice_network.h"
#include "src/speech/window_segments.h"

namespace specinfer {

// With voice activity, silence is left out before windows are cut, as
// faster-whisper does it: a window is 30 s of speech, whatever lay between, and
// begins where the text of the last one ended. So words are cut only where they
// would be in a recording without silence. Windows packed with whole parts of
// speech would be shorter and more, and would cut longer parts blindly.
//
// One thread at a time.
class SpeechFrames {
 public:
  SpeechFrames(int num_mels, Memory* memory)
      : num_mels_(num_mels), memory_(memory), block_(kBlockSamples) {}

  // Null: all of a recording is speech, as at first. Errors:
  // RESOURCE_EXHAUSTED, and the last choice stays.
  absl::Status UseVoiceActivity(std::shared_ptr<const VoiceNetwork> network);

  // Reads another recording. `samples`: interleaved.
  // Errors: INVALID_ARGUMENT (format, half a frame, more than 24 hours),
  // UNIMPLEMENTED (a build without a resampler), CANCELLED, RESOURCE_EXHAUSTED.
  absl::Status Read(absl::Span<const float> samples, const AudioFormat& format,
                    const std::atomic<bool>& is_cancelled);

  // Frees the frames; the rest stays.
  void DropFrames() { mel_.reset(); }

  // Of the speech.
  int64_t num_frames() const { return num_speech_samples_ / kFrameHop; }
  double speech_seconds() const { return InSeconds(num_speech_samples_); }
  double recording_seconds() const { return InSeconds(num_samples_); }
  // From the speech to the recording.
  const TimeMap& times() const { return times_; }

  // Writes a window of the speech, [max_frames, mels]: what follows its frames
  // is 0, as faster-whisper 1.2.1 has it. OpenAI's own transcribe takes the
  // frames of silence there, -1.5 at most: both were in use long enough to be
  // trusted, but short clips get other words.
  // REQUIRES: frames were read and not dropped.
  void CopyWindow(const FrameWindow& window, absl::Span<float> frames);

 private:
  static constexpr size_t kBlockSamples = 16384;
  static double InSeconds(int64_t samples) {
    return static_cast<double>(samples) / kSpeechSampleRate;
  }

  // Calls visit(block) -> absl::Status with the recording at 16 kHz, in order.
  template <typename Visit>
  absl::Status ForEachBlock(absl::Span<const float> samples, int num_channels,
                            const std::atomic<bool>& is_cancelled,
                            Resampler& resampler, Visit&& visit);
  absl::Status CreateFrames(double seconds);
  absl::Status Push(absl::Span<const float> samples);
  // Takes what is speech among the next samples of the recording.
  absl::Status PushSpeech(absl::Span<const float> samples);

  const int num_mels_;
  Memory* const memory_;
  std::vector<float> block_;
  std::optional<SpeechFinder> finder_;  // none: all is speech

  std::vector<SpeechSegment> speech_;
  TimeMap times_{{}};
  std::unique_ptr<MelStream> mel_;
  int64_t num_samples_ = 0;  // of the recording, at 16 kHz
  int64_t num_speech_samples_ = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_SPEECH_FRAMES_H_
