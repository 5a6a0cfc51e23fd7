// What a live transcriber hears: from the samples that a host pushes to frames
// of a spectrogram, and to where someone speaks.
#ifndef SPECINFER_SRC_SPEECH_LIVE_SOUND_H_
#define SPECINFER_SRC_SPEECH_LIVE_SOUND_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/speech/audio_input.h"
#include "src/speech/log_mel.h"
#include "src/speech/resampler.h"
#include "src/speech/speech_finder.h"
#include "src/speech/speech_segmenter.h"
#include "src/speech/voice_network.h"

namespace specinfer {

struct LiveSoundOptions {
  AudioFormat format;
  // Audio that may wait to be heard.
  double max_backlog_seconds = 30.0;
  // Null: all sound is speech.
  std::shared_ptr<const VoiceNetwork> voice;
  // A word that is cut at its beginning is misheard: hence the padding.
  SegmenterOptions segmenter = {.padding_seconds = 0.2};
};

// What was heard. Samples are those of this stretch of sound, at 16 kHz.
struct SoundEvent {
  enum Kind {
    kNothing,      // there is nothing to hear now
    kSound,        // some sound
    kSpeechBegin,  // speech begins at `sample`
    kSpeechEnd,    // it ends there, though it may go on after a short silence
    kEndpoint,     // it has ended for good
    kPause,        // a pause ends the stretch; the next one begins with 0
    kEnd,          // the end of the audio
  };
  Kind kind = kNothing;
  int64_t sample = 0;
};

// AudioInput's rules for threads; everything else is the popping thread's.
class LiveSound {
 public:
  // Errors: those of its parts.
  static absl::StatusOr<LiveSound> Create(int num_mels,
                                          const LiveSoundOptions& options,
                                          Memory& memory);

  AudioInput& input() { return input_; }

  // Hears up to 32 ms more, and says one thing of them; of a pause and of the
  // end only after everything else.
  absl::StatusOr<SoundEvent> Hear();

  int num_mels() const { return mel_.num_mels(); }
  // Of this stretch.
  int64_t num_samples() const { return mel_.num_samples(); }
  double Seconds(int64_t sample) const {
    return start_seconds_ + static_cast<double>(sample) / kSpeechSampleRate;
  }
  // The frames [first, first + num_frames) as a window of `count` frames, 0
  // behind them: [count, mels]. Normalised by the loudest sound of the stretch.
  // REQUIRES: the frames were heard and not dropped.
  void CopyWindow(int64_t first, int num_frames, int count,
                  absl::Span<float> frames);
  // Frames before it are needed no more.
  void DropBefore(int64_t frame);

 private:
  LiveSound(const LiveSoundOptions& options, AudioInput input,
            Resampler resampler, MelStream mel,
            std::optional<SpeechFinder> finder, Block block);
  void BeginStretch();
  // Fills the chunk with what was pushed. False: it is not full.
  absl::StatusOr<bool> FillChunk();
  absl::Status HearChunk();
  // Tells what the finder has told, and forgets it.
  void TellSpeech();
  absl::Status EndStretch(SoundEvent::Kind kind);
  void Tell(SoundEvent::Kind kind, int64_t sample) {
    events_.push_back({kind, sample});
  }

  AudioFormat format_;
  AudioInput input_;
  Resampler resampler_;
  MelStream mel_;
  std::optional<SpeechFinder> finder_;  // none: all is speech
  std::vector<SpeechEvent> speech_events_;
  Block popped_block_;        // [kPoppedFrames, channels]
  absl::Span<float> popped_;  // what is left of it
  std::array<float, SpeechSegmenter::kChunkSamples> chunk_{};
  size_t chunk_size_ = 0;
  std::deque<SoundEvent> events_;
  double start_seconds_ = 0.0;  // of the stretch
  bool has_begun_ = false;      // the stretch has sound
  bool is_speaking_ = false;    // told to have begun, and no endpoint
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_LIVE_SOUND_H_
