// Where speech begins and ends, by the rules published with Silero VAD 6.2
// (get_speech_timestamps), while it is heard.
#ifndef SPECINFER_SRC_SPEECH_SPEECH_SEGMENTER_H_
#define SPECINFER_SRC_SPEECH_SPEECH_SEGMENTER_H_

#include <array>
#include <cstdint>
#include <limits>

#include "absl/types/span.h"

#include "src/speech/audio_samples.h"

namespace specinfer {

struct SegmenterOptions {
  // A chunk is speech from `threshold` on, and silence after speech below
  // `negative_threshold`; by default, below 0, threshold - 0.15.
  float threshold = 0.5f;
  float negative_threshold = -1.0f;
  double min_speech_seconds = 0.25;  // what is shorter is none
  double min_silence_seconds = 0.1;  // what is shorter ends no speech
  double padding_seconds = 0.03;     // added at both ends, where there is room
  // Longer speech is cut in its longest silence, or where it reaches this.
  double max_speech_seconds = std::numeric_limits<double>::infinity();
  // Silences from this length on count for that.
  double min_cut_seconds = 0.098;
  // Silence after speech that tells that the speaker has finished.
  double endpoint_seconds = 0.5;
};

// Samples [begin, end) from the beginning of the audio.
struct SpeechSegment {
  int64_t begin = 0;
  int64_t end = 0;

  int64_t size() const { return end - begin; }
  bool operator==(const SpeechSegment&) const = default;
};

struct SpeechEvent {
  enum Kind {
    kBegin,     // speech begins at `sample`
    kEnd,       // speech that began ends there
    kEndpoint,  // silence has followed the last end long enough, up to there
  };
  Kind kind = kBegin;
  int64_t sample = 0;

  bool operator==(const SpeechEvent&) const = default;
};

// Events come in order: begins and ends alternate, and an endpoint comes at
// most once after an end. The begins and ends are those that the published
// function gives of the whole recording; each is told once no sound to come can
// change it. A begin so comes when its speech is long enough to be some.
class SpeechSegmenter {
 public:
  static constexpr int kChunkSamples = 512;

  explicit SpeechSegmenter(const SegmenterOptions& options);

  // Hears the probability of the next 512 samples. What it returns is valid
  // until the next call.
  absl::Span<const SpeechEvent> Push(float probability);

  // Ends the audio, which has this many samples: up to 511 fewer than were
  // heard, as the last chunk is filled up.
  absl::Span<const SpeechEvent> Finish(int64_t num_samples);

  void Reset();

  // Whether someone may be speaking now, told or not.
  bool is_speaking() const { return is_speaking_; }

 private:
  static constexpr int64_t kNone = -1;

  void Hear(float probability);
  void CutLongSpeech();
  void EndSpeech(int64_t end);
  void BeginSpeech(int64_t begin);
  // Tells the begin of the speech going on, and before it the end of the last.
  void Confirm();
  void TellEnd(int64_t padded_end);
  void TellWhatIsCertain();
  void Tell(SpeechEvent::Kind kind, int64_t sample) {
    events_[num_events_++] = {kind, sample};
  }

  double threshold_;
  double negative_threshold_;
  // In samples.
  double min_speech_;
  double min_silence_;
  double min_cut_;
  double max_speech_;
  int64_t padding_;
  double endpoint_;

  std::array<SpeechEvent, 8> events_;
  int num_events_ = 0;

  int64_t chunk_begin_ = 0;  // of the chunk being heard
  bool is_speaking_ = false;
  bool is_confirmed_ = false;      // the begin of this speech was told
  int64_t begin_ = 0;              // of this speech, without padding
  int64_t silence_begin_ = kNone;  // where this speech may end
  // The longest silence inside this speech.
  int64_t longest_begin_ = kNone;
  int64_t longest_size_ = 0;
  // The end of the last speech, without padding: while it is untold, and until
  // its endpoint.
  int64_t untold_end_ = kNone;
  int64_t silent_since_ = kNone;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_SPEECH_SEGMENTER_H_
