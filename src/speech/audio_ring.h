// Samples from a real-time audio thread to the thread that works on them.
#ifndef SPECINFER_SRC_SPEECH_AUDIO_RING_H_
#define SPECINFER_SRC_SPEECH_AUDIO_RING_H_

#include <atomic>
#include <cstddef>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"

namespace specinfer {

// A ring for one thread that pushes and one that pops, at the same time.
// Neither ever waits, locks or allocates: each takes a bounded number of steps,
// whatever the other does. What does not fit is refused, never lost.
class AudioRing {
 public:
  // Holds at least `min_samples`.
  // Errors: INVALID_ARGUMENT (0 samples, or far too many),
  // RESOURCE_EXHAUSTED.
  static absl::StatusOr<AudioRing> Create(size_t min_samples, Memory& memory);

  // REQUIRES: no other thread uses either ring.
  AudioRing(AudioRing&& other) noexcept;

  // Takes as many of the first samples as there is room for; says how many. Of
  // the pushing thread.
  size_t Push(absl::Span<const float> samples);

  // Gives up to samples.size() of the oldest samples; says how many. Of the
  // popping thread.
  size_t Pop(absl::Span<float> samples);

  // Of either thread: there are at least as many for the thread that pops, and
  // at most as many for the one that pushes.
  size_t num_samples() const {
    const size_t popped = num_popped_.load(std::memory_order_acquire);
    return num_pushed_.load(std::memory_order_acquire) - popped;
  }
  size_t capacity() const { return mask_ + 1; }

 private:
  AudioRing(size_t capacity, Block block)
      : mask_(capacity - 1), block_(std::move(block)) {}
  float* ring() const { return reinterpret_cast<float*>(block_.data()); }

  size_t mask_;  // the capacity, a power of two, less 1
  Block block_;
  // Since the beginning; they may wrap around. Each is written by one thread,
  // and kept out of the other's cache line.
  alignas(64) std::atomic<size_t> num_pushed_{0};
  alignas(64) std::atomic<size_t> num_popped_{0};
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_AUDIO_RING_H_
