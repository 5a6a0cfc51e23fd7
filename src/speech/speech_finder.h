// Where a whole recording has speech.
#ifndef SPECINFER_SRC_SPEECH_SPEECH_FINDER_H_
#define SPECINFER_SRC_SPEECH_SPEECH_FINDER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/speech/speech_segmenter.h"
#include "src/speech/voice_activity.h"

namespace specinfer {

// For recordings that are written down, as in faster-whisper 1.2.1: only long
// silence is left out, and some is kept around speech, so that no word is cut.
inline constexpr SegmenterOptions kRecordingSpeech = {
    .min_speech_seconds = 0.0,
    .min_silence_seconds = 2.0,
    .padding_seconds = 0.4};

// One recording at a time; one thread at a time.
class SpeechFinder {
 public:
  // Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<SpeechFinder> Create(
      std::shared_ptr<const VoiceNetwork> network,
      const SegmenterOptions& options, Memory& memory);

  // Begins another recording.
  void Reset();

  // The next samples of the recording, as many as there are.
  void Push(absl::Span<const float> samples);

  // Ends the recording: its speech, in order and apart.
  std::vector<SpeechSegment> Finish();

 private:
  static constexpr size_t kChunk = VoiceActivity::kChunkSamples;
  static_assert(kChunk == SpeechSegmenter::kChunkSamples);

  SpeechFinder(std::shared_ptr<const VoiceNetwork> network,
               const SegmenterOptions& options, VoiceActivity activity)
      : network_(std::move(network)),
        activity_(std::move(activity)),
        segmenter_(options) {}
  void HearChunk();
  void Take(absl::Span<const SpeechEvent> events);

  std::shared_ptr<const VoiceNetwork> network_;
  VoiceActivity activity_;
  SpeechSegmenter segmenter_;
  std::array<float, kChunk> chunk_;
  size_t num_pending_ = 0;  // of the chunk
  int64_t num_samples_ = 0;
  std::vector<SpeechSegment> speech_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_SPEECH_FINDER_H_
