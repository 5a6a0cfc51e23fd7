#include "sound_source.h"

#include <poll.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

namespace specinfer_cli {
namespace {

constexpr int kPollMilliseconds = 100;

}  // namespace

SoundSource::SoundSource(const std::string& path) {
  if (path != "-") file_ = std::make_unique<AudioFile>(path);
}

const std::vector<float>& SoundSource::Read(double seconds,
                                            const std::atomic<bool>& is_over) {
  const size_t num_frames = static_cast<size_t>(seconds * sample_rate());
  if (file_) return file_->Read(num_frames);
  raw_.resize(num_frames * sizeof(int16_t));
  size_t num_bytes = 0;
  while (num_bytes < raw_.size() && !is_over) {
    pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (poll(&input, 1, kPollMilliseconds) <= 0) continue;
    const ssize_t got =
        read(STDIN_FILENO, &raw_[num_bytes], raw_.size() - num_bytes);
    if (got <= 0) break;
    num_bytes += static_cast<size_t>(got);
  }
  samples_.resize(num_bytes / sizeof(int16_t));
  for (size_t i = 0; i < samples_.size(); ++i) {
    int16_t sample;
    std::memcpy(&sample, &raw_[i * sizeof(sample)], sizeof(sample));
    samples_[i] = static_cast<float>(sample) / 32768.0f;
  }
  return samples_;
}

}  // namespace specinfer_cli
