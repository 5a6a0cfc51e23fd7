// SoundSource: sound for `transcribe --stream`, of an audio file or raw samples
// from standard input.
#ifndef SPECINFER_TOOLS_SPECINFER_SOUND_SOURCE_H_
#define SPECINFER_TOOLS_SPECINFER_SOUND_SOURCE_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "audio_file.h"

namespace specinfer_cli {

class SoundSource {
 public:
  // -: standard input, 16-bit mono samples at 16 kHz. Throws Failure.
  explicit SoundSource(const std::string& path);

  int sample_rate() const { return file_ ? file_->sample_rate() : 16000; }
  int num_channels() const { return file_ ? file_->num_channels() : 1; }
  // Of standard input, sound comes when it does.
  bool is_live() const { return file_ == nullptr; }

  // The next `seconds`, interleaved; valid until the next call. Empty at the
  // end, or once `is_over` while it waits for standard input. Throws Failure.
  const std::vector<float>& Read(double seconds,
                                 const std::atomic<bool>& is_over);

 private:
  std::unique_ptr<AudioFile> file_;  // null: standard input
  std::vector<char> raw_;
  std::vector<float> samples_;
};

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_SOUND_SOURCE_H_
