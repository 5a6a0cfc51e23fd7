// Where sound has speech: samples to events, however they come in pieces.
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

// Of begins and ends that alternate, the speech between.
std::vector<SpeechSegment> SegmentsOf(absl::Span<const SpeechEvent> events);

// One stretch of sound at a time; one thread at a time.
class SpeechFinder {
 public:
  // Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<SpeechFinder> Create(
      std::shared_ptr<const VoiceNetwork> network,
      const SegmenterOptions& options, Memory& memory);

  // Begins another stretch.
  void Reset();

  // The next samples, as many as there are. Appends what SpeechSegmenter tells.
  void Push(absl::Span<const float> samples, std::vector<SpeechEvent>* events);

  // Ends the stretch.
  void Finish(std::vector<SpeechEvent>* events);

 private:
  static constexpr size_t kChunk = VoiceActivity::kChunkSamples;
  static_assert(kChunk == SpeechSegmenter::kChunkSamples);

  SpeechFinder(std::shared_ptr<const VoiceNetwork> network,
               const SegmenterOptions& options, VoiceActivity activity)
      : network_(std::move(network)),
        activity_(std::move(activity)),
        segmenter_(options) {}
  void HearChunk(std::vector<SpeechEvent>* events);

  std::shared_ptr<const VoiceNetwork> network_;
  VoiceActivity activity_;
  SpeechSegmenter segmenter_;
  std::array<float, kChunk> chunk_;
  size_t num_pending_ = 0;  // of the chunk
  int64_t num_samples_ = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_SPEECH_FINDER_H_
