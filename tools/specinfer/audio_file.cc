#include "audio_file.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

#include "failure.h"

#ifdef SPECINFER_HAS_SNDFILE
#include <sndfile.h>
#endif

namespace specinfer_cli {

void AudioFile::Fail(const std::string& reason) const {
  throw Failure("audio file \"" + path_ + "\" " + reason);
}

#ifdef SPECINFER_HAS_SNDFILE

namespace {

// Bytes that are missing at the end of a WAV file by its own header, which
// libsndfile forgives; 0 for others, and for those written to a pipe, which do
// not know their size.
uint64_t MissingBytes(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen(path.c_str(), "rb"), &std::fclose);
  unsigned char head[8];
  if (file == nullptr || std::fread(head, 1, sizeof(head), file.get()) != 8 ||
      std::memcmp(head, "RIFF", 4) != 0 ||
      std::fseek(file.get(), 0, SEEK_END) != 0) {
    return 0;
  }
  const uint64_t promised =
      8 + (head[4] | uint64_t{head[5]} << 8 | uint64_t{head[6]} << 16 |
           uint64_t{head[7]} << 24);
  const long size = std::ftell(file.get());
  constexpr uint64_t kUnknown = 0x7fffffff;  // or more
  if (size < 0 || promised >= kUnknown) return 0;
  return promised - std::min(promised, static_cast<uint64_t>(size));
}

}  // namespace

AudioFile::AudioFile(const std::string& path) : path_(path) {
  SF_INFO info = {};
  file_ = sf_open(path.c_str(), SFM_READ, &info);
  if (file_ == nullptr) {
    Fail(std::string("cannot be read: ") + sf_strerror(nullptr) +
         "; WAV, FLAC, Ogg and MP3 can be used");
  }
  const uint64_t missing = MissingBytes(path);
  if (missing > 0 || info.frames == 0) {
    sf_close(file_);
    if (missing == 0) Fail("is empty: there is no sound in it");
    Fail("is cut short: by its header " + std::to_string(missing) +
         " bytes are missing at its end");
  }
  sample_rate_ = info.samplerate;
  num_channels_ = info.channels;
  num_frames_ = info.frames;
}

AudioFile::~AudioFile() { sf_close(file_); }

const std::vector<float>& AudioFile::Read(size_t max_frames) {
  block_.resize(max_frames * num_channels_);
  const sf_count_t num_read =
      sf_readf_float(file_, block_.data(), static_cast<sf_count_t>(max_frames));
  if (const int error = sf_error(file_); error != 0)
    Fail(std::string("is damaged or cut short: ") + sf_error_number(error));
  block_.resize(static_cast<size_t>(num_read) * num_channels_);
  return block_;
}

#else

AudioFile::AudioFile(const std::string& path) : path_(path) {
  Fail(
      "cannot be read: this build has no libsndfile; install "
      "libsndfile1-dev and build again");
}

AudioFile::~AudioFile() = default;

const std::vector<float>& AudioFile::Read(size_t) { return block_; }

#endif

}  // namespace specinfer_cli
