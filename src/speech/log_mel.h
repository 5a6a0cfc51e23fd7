// Whisper's front end, as OpenAI's: 16 kHz mono to normalised log-mel frames of
// 25 ms every 10 ms. Frames are rows: [frames, mels], slowest first.
#ifndef SPECINFER_SRC_SPEECH_LOG_MEL_H_
#define SPECINFER_SRC_SPEECH_LOG_MEL_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/speech/audio_samples.h"
#include "src/speech/mel_filters.h"
#include "src/speech/power_spectrum.h"

namespace specinfer {

// Frame t is centred on sample kFrameHop * t.
inline constexpr int kFrameHop = 160;
// log10 of the least power that is told from none.
inline constexpr float kSilentLogMel = -10.0f;

// The largest value of log10 frames, not below kSilentLogMel.
float PeakOf(absl::Span<const float> log_frames);

// log10 frames to what the encoder takes, in place: nothing is more than 8
// below `peak`, then (x + 4) / 4. Silence alone becomes -1.5.
void NormalizeLogMel(float peak, absl::Span<float> frames);

// The tables and the working room of one thread.
class LogMel {
 public:
  static constexpr int kMaxMels = 128;
  // What ComputeFrames takes: the frames of one group of lanes.
  static constexpr int kGroupFrames = PowerSpectrum::kLanes;
  static constexpr int kGroupSamples =
      kFrameHop * (kGroupFrames - 1) + PowerSpectrum::kFrameSamples;

  // Errors: UNIMPLEMENTED (mels other than 80 and 128), RESOURCE_EXHAUSTED.
  static absl::StatusOr<LogMel> Create(int num_mels, Memory& memory);

  int num_mels() const { return filters_.num_mels(); }

  // The normalised frames of one window by itself: `samples`, then silence as
  // far as num_frames * 160 samples (later ones are left out), reflected at
  // both ends. 3,000 frames are Whisper's 30 s; fewer are audio so far.
  // REQUIRES: num_frames >= 2, frames.size() == num_frames * num_mels().
  void ComputeWindow(absl::Span<const float> samples, int num_frames,
                     absl::Span<float> frames);

  // The log10 frames that begin at samples + 160 * frame.
  // REQUIRES: num_frames <= kGroupFrames; `samples` are kGroupSamples finite
  // values, however few frames are wanted.
  void ComputeFrames(const float* samples, int num_frames, float* frames);

 private:
  struct Work {
    PowerSpectrum::Scratch scratch;
    alignas(64) float power[PowerSpectrum::kNumBins * kGroupFrames];
    alignas(64) float mels[kMaxMels * kGroupFrames];
    alignas(64) float samples[kGroupSamples];
  };

  LogMel(int num_mels, Block block)
      : filters_(num_mels), block_(std::move(block)) {}
  Work* work() const { return reinterpret_cast<Work*>(block_.data()); }

  PowerSpectrum spectrum_;
  MelFilters filters_;
  Block block_;
};

// Frames of audio that goes on: each is computed once, when the samples under
// it are there, and kept until it is dropped. The bits do not depend on how the
// audio was cut into pushes.
//
// A window of it differs from ComputeWindow of the same samples at its borders
// only: in the middle of the audio frames see what lies on the other side
// (OpenAI's do so too when it cuts a long recording), and after its end zeros,
// where ComputeWindow reflects the window's last 40 samples into its last
// frame. So the whole audio in one window gives the same bits wherever it is at
// least 40 samples shorter than the window.
//
// One thread at a time. Nothing allocates after creation.
class MelStream {
 public:
  // Keeps up to `max_frames` frames.
  // Errors: those of LogMel; INVALID_ARGUMENT (max_frames below 1).
  static absl::StatusOr<MelStream> Create(int num_mels, int max_frames,
                                          Memory& memory);

  // Takes samples while there is room for their frames; says how many. Values
  // that are not finite are taken as 0.
  size_t Push(absl::Span<const float> samples);

  // Frames are counted from the beginning of the audio. Those in
  // [first_frame(), num_frames()) are kept and final.
  int64_t first_frame() const { return first_frame_; }
  int64_t num_frames() const { return num_frames_; }
  int64_t num_samples() const { return num_samples_; }
  int num_mels() const { return log_mel_.num_mels(); }
  // The largest log10 value of any final frame since the beginning.
  float peak() const { return peak_; }

  // Writes the normalised frames [first, first + count), as if the audio ended
  // here and silence followed. They are normalised by the largest value among
  // them, or by `peak` where that is larger: a window by itself by default, and
  // as OpenAI's whole recordings with the recording's own peak().
  // REQUIRES: first >= first_frame(), frames.size() == count * num_mels().
  void CopyWindow(int64_t first, int count, absl::Span<float> frames,
                  float peak = kSilentLogMel);

  // Forgets the frames before `frame`, which makes room.
  void DropBefore(int64_t frame);

  // Begins other audio.
  void Reset();

 private:
  MelStream(LogMel log_mel, int max_frames, Block block)
      : log_mel_(std::move(log_mel)),
        max_frames_(max_frames),
        block_(std::move(block)) {}

  float* kept() const { return reinterpret_cast<float*>(block_.data()); }
  // Frames whose samples are all pending.
  int NumComplete() const;
  // Fills the samples before the audio's first, while those are pending.
  void ReflectStart();
  void KeepCompleteFrames();
  // The samples that frame num_frames() and later ones see: [num_pending_].
  float* pending() const {
    return kept() + static_cast<size_t>(max_frames_) * num_mels();
  }

  LogMel log_mel_;
  int max_frames_;
  Block block_;  // [max_frames, mels], then [kGroupSamples]
  int64_t first_frame_ = 0;
  int64_t num_frames_ = 0;
  int64_t num_samples_ = 0;
  int num_pending_ = PowerSpectrum::kFrameSamples / 2;
  float peak_ = kSilentLogMel;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_LOG_MEL_H_
