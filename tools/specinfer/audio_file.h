// Audio files: WAV, FLAC, Ogg, MP3 and what else libsndfile reads. The one file
// that knows it.
#ifndef SPECINFER_TOOLS_SPECINFER_AUDIO_FILE_H_
#define SPECINFER_TOOLS_SPECINFER_AUDIO_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

struct sf_private_tag;  // libsndfile's SNDFILE

namespace specinfer_cli {

// Read forwards, a block at a time.
class AudioFile {
 public:
  // Throws Failure: no file, no audio, none that can be read, no sound in it, a
  // WAV file shorter than it says, or a build without libsndfile.
  explicit AudioFile(const std::string& path);
  ~AudioFile();
  AudioFile(const AudioFile&) = delete;
  AudioFile& operator=(const AudioFile&) = delete;

  int sample_rate() const { return sample_rate_; }
  int num_channels() const { return num_channels_; }
  // What the header says: for a progress bar. MP3 may have fewer.
  int64_t num_frames() const { return num_frames_; }

  // The next frames, up to `max_frames`, interleaved, full scale +-1; valid
  // until the next call. Empty at the end. Throws Failure: the file is damaged,
  // or ends in the middle of a frame.
  const std::vector<float>& Read(size_t max_frames);

 private:
  [[noreturn]] void Fail(const std::string& reason) const;

  std::string path_;
  sf_private_tag* file_ = nullptr;
  int sample_rate_ = 0;
  int num_channels_ = 0;
  int64_t num_frames_ = 0;
  std::vector<float> block_;
};

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_AUDIO_FILE_H_
