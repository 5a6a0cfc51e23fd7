#include "src/speech/audio_input.h"

#include <algorithm>

#include "src/base/status_macros.h"

namespace specinfer {

absl::StatusOr<AudioInput> AudioInput::Create(const AudioFormat& format,
                                              double seconds, Memory& memory) {
  const double samples = seconds * format.sample_rate * format.num_channels;
  if (!(samples >= 1.0 && samples <= double{1 << 30})) {
    return absl::InvalidArgumentError(
        "the audio buffer must have room for 1 to 2^30 samples");
  }
  SPECINFER_ASSIGN_OR_RETURN(
      AudioRing ring,
      AudioRing::Create(static_cast<size_t>(samples) + 1, memory));
  return AudioInput(static_cast<size_t>(format.num_channels), std::move(ring));
}

AudioInput::AudioInput(AudioInput&& other) noexcept
    : num_channels_(other.num_channels_), ring_(std::move(other.ring_)) {}

size_t AudioInput::Push(absl::Span<const float> samples) {
  samples = samples.first(samples.size() / num_channels_ * num_channels_);
  const uint32_t turns = num_turns_.load(std::memory_order_acquire);
  if (turns % 2 == 1) {
    if (!is_skipping_) {
      is_skipping_ = true;
      pause_place_.store(num_pushed_, std::memory_order_relaxed);
      pause_.store(turns, std::memory_order_release);
    }
    num_skipping_ += samples.size();
    return samples.size();
  }
  if (is_skipping_) {
    is_skipping_ = false;
    num_skipped_.fetch_add(num_skipping_, std::memory_order_release);
    num_skipping_ = 0;
  }
  const size_t room = ring_.capacity() - ring_.num_samples();
  const size_t count = ring_.Push(samples.first(std::min(samples.size(), room) /
                                                num_channels_ * num_channels_));
  num_pushed_ += count;
  return count;
}

void AudioInput::Pause() {
  uint32_t turns = num_turns_.load();
  while (turns % 2 == 0 &&
         !num_turns_.compare_exchange_weak(turns, turns + 1)) {
  }
}

void AudioInput::Resume() {
  uint32_t turns = num_turns_.load();
  while (turns % 2 == 1 &&
         !num_turns_.compare_exchange_weak(turns, turns + 1)) {
  }
}

AudioInput::Next AudioInput::TellPause(uint32_t pause) {
  told_pause_ = pause;
  return Next::kPause;
}

AudioInput::Next AudioInput::Pop(absl::Span<float> samples, size_t* count) {
  // In this order: what is said of samples is known before they are.
  const bool is_finished = is_finished_.load(std::memory_order_acquire);
  const uint32_t turns = num_turns_.load(std::memory_order_acquire);
  size_t most = std::min(samples.size(), ring_.num_samples());
  const uint32_t pause = pause_.load(std::memory_order_acquire);
  *count = 0;
  if (pause != passed_pause_) {
    const uint64_t place = pause_place_.load(std::memory_order_relaxed);
    if (place <= num_popped_) {
      passed_pause_ = pause;
      if (told_pause_ != pause) return TellPause(pause);
    } else {
      most = static_cast<size_t>(std::min<uint64_t>(most, place - num_popped_));
    }
  }
  if (most == 0) {
    // Whoever paused may have stopped to push as well.
    if (turns % 2 == 1 && told_pause_ != turns && ring_.num_samples() == 0)
      return TellPause(turns);
    return is_finished && ring_.num_samples() == 0 ? Next::kEnd
                                                   : Next::kNothing;
  }
  if (pause == passed_pause_)
    num_skipped_before_ = num_skipped_.load(std::memory_order_acquire);
  *count = ring_.Pop(samples.first(most));
  num_popped_ += *count;
  return Next::kSamples;
}

}  // namespace specinfer
