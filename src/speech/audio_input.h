// What a host's audio thread hands to the thread that listens: samples, pauses
// between them, and their end.
#ifndef SPECINFER_SRC_SPEECH_AUDIO_INPUT_H_
#define SPECINFER_SRC_SPEECH_AUDIO_INPUT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/speech/audio_ring.h"
#include "src/speech/resampler.h"

namespace specinfer {

// A frame has a sample of every channel. Push and Finish belong to one thread,
// Pop and position to another, Pause and Resume to any. None of them waits,
// locks or allocates.
class AudioInput {
 public:
  // Holds at least `seconds` of audio.
  // Errors: INVALID_ARGUMENT, RESOURCE_EXHAUSTED.
  static absl::StatusOr<AudioInput> Create(const AudioFormat& format,
                                           double seconds, Memory& memory);

  // REQUIRES: no other thread uses either input.
  AudioInput(AudioInput&& other) noexcept;

  // Takes as many whole frames as there is room for; says how many samples that
  // are. What does not fit is the caller's to push again. In a pause all are
  // taken, and none is kept.
  size_t Push(absl::Span<const float> samples);
  // There is no more to come.
  void Finish() { is_finished_.store(true, std::memory_order_release); }

  // In a pause, sound is not heard; its time goes on.
  void Pause();
  void Resume();

  enum class Next {
    kSamples,
    kNothing,  // now
    kPause,    // told once for each pause that is noticed
    kEnd,
  };
  // What comes next; of kSamples, as many as there are, up to samples.size():
  // whole frames.
  // REQUIRES: samples.size() is a multiple of the number of channels.
  Next Pop(absl::Span<float> samples, size_t* count);

  // Frames that were pushed, pauses included, before those that Pop gives next.
  // Where a second pause begins before the first was noticed, what lies between
  // them counts as if it had come before both.
  uint64_t position() const {
    return (num_popped_ + num_skipped_before_) / num_channels_;
  }

 private:
  AudioInput(size_t num_channels, AudioRing ring)
      : num_channels_(num_channels), ring_(std::move(ring)) {}
  Next TellPause(uint32_t pause);

  size_t num_channels_;
  AudioRing ring_;
  std::atomic<uint32_t> num_turns_{0};  // odd: paused
  std::atomic<bool> is_finished_{false};

  // The pause that the pushing thread saw last, by num_turns_ in it, and how
  // many samples came before that.
  std::atomic<uint32_t> pause_{0};
  std::atomic<uint64_t> pause_place_{0};
  std::atomic<uint64_t> num_skipped_{0};  // in pauses that are over

  // The pushing thread's.
  uint64_t num_pushed_ = 0;
  uint64_t num_skipping_ = 0;
  bool is_skipping_ = false;

  // The popping thread's.
  uint64_t num_popped_ = 0;
  uint64_t num_skipped_before_ = 0;
  uint32_t passed_pause_ = 0;
  uint32_t told_pause_ = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_AUDIO_INPUT_H_
