#include "src/speech/audio_ring.h"

#include <algorithm>
#include <bit>

#include "src/base/status_macros.h"

namespace specinfer {

static_assert(std::atomic<size_t>::is_always_lock_free);

absl::StatusOr<AudioRing> AudioRing::Create(size_t min_samples,
                                            Memory& memory) {
  constexpr size_t kMost = size_t{1} << 30;
  if (min_samples == 0 || min_samples > kMost)
    return absl::InvalidArgumentError(
        "the audio buffer must have room for 1 to 2^30 samples");
  const size_t capacity = std::bit_ceil(min_samples);
  SPECINFER_ASSIGN_OR_RETURN(
      Block block,
      memory.Allocate(capacity * sizeof(float), "the audio buffer"));
  // Touched once, so that the audio thread meets no page for the first time.
  std::fill_n(reinterpret_cast<volatile float*>(block.data()), capacity, 0.0f);
  return AudioRing(capacity, std::move(block));
}

AudioRing::AudioRing(AudioRing&& other) noexcept
    : mask_(other.mask_),
      block_(std::move(other.block_)),
      num_pushed_(other.num_pushed_.load(std::memory_order_relaxed)),
      num_popped_(other.num_popped_.load(std::memory_order_relaxed)) {}

size_t AudioRing::Push(absl::Span<const float> samples) {
  const size_t pushed = num_pushed_.load(std::memory_order_relaxed);
  const size_t popped = num_popped_.load(std::memory_order_acquire);
  const size_t count = std::min(samples.size(), capacity() - (pushed - popped));
  const size_t place = pushed & mask_;
  const size_t first = std::min(count, capacity() - place);
  std::copy_n(samples.data(), first, ring() + place);
  std::copy_n(samples.data() + first, count - first, ring());
  num_pushed_.store(pushed + count, std::memory_order_release);
  return count;
}

size_t AudioRing::Pop(absl::Span<float> samples) {
  const size_t popped = num_popped_.load(std::memory_order_relaxed);
  const size_t pushed = num_pushed_.load(std::memory_order_acquire);
  const size_t count = std::min(samples.size(), pushed - popped);
  const size_t place = popped & mask_;
  const size_t first = std::min(count, capacity() - place);
  std::copy_n(ring() + place, first, samples.data());
  std::copy_n(ring(), count - first, samples.data() + first);
  num_popped_.store(popped + count, std::memory_order_release);
  return count;
}

}  // namespace specinfer
