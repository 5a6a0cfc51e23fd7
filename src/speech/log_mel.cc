#include "src/speech/log_mel.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"
#include "src/speech/audio_samples.h"

namespace specinfer {
namespace {

constexpr int kFrameSamples = PowerSpectrum::kFrameSamples;
// A frame reaches this far to both sides of its centre.
constexpr int kReach = kFrameSamples / 2;
// Below 1e-10, whose logarithm is the least: all that is less is cut there.
constexpr float kLeastPower = 0.99e-10f;

// log10 x for finite x >= 0, or kSilentLogMel where that is larger. Plain
// multiplications and additions, so that every compiler's vectors agree.
inline float LogPower(float x) {
  // Floats that are not negative are in the order of their bits.
  const int32_t bits =
      std::max(std::bit_cast<int32_t>(x), std::bit_cast<int32_t>(kLeastPower));
  // x = 2^exponent * (1 + m), 1 + m in [sqrt(1/2), sqrt(2)).
  const int32_t exponent = (bits - 0x3f3504f3) >> 23;
  const float m = std::bit_cast<float>(bits - (exponent << 23)) - 1.0f;
  const float z = m * m;
  float p = 7.0376836292e-2f;  // Cephes logf
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  const float natural = m + (p * m * z - 0.5f * z);
  const float e = static_cast<float>(exponent);
  // log10(2) in two parts, the first exact in its products.
  const float log10 = e * 0.301025390625f +
                      (e * 4.6050389811952e-6f + natural * 0.43429448190325f);
  return log10 > kSilentLogMel ? log10 : kSilentLogMel;
}

}  // namespace

float PeakOf(absl::Span<const float> log_frames) {
  float peak = kSilentLogMel;
  for (const float value : log_frames) peak = value > peak ? value : peak;
  return peak;
}

void NormalizeLogMel(float peak, absl::Span<float> frames) {
  const float floor = peak - 8.0f;
  for (float& value : frames)
    value = ((value > floor ? value : floor) + 4.0f) * 0.25f;
}

absl::StatusOr<LogMel> LogMel::Create(int num_mels, Memory& memory) {
  if (num_mels != 80 && num_mels != kMaxMels) {
    return absl::UnimplementedError(absl::StrCat(
        "the model wants ", num_mels, " mel bands; 80 and 128 are known"));
  }
  SPECINFER_ASSIGN_OR_RETURN(
      Block block, memory.Allocate(sizeof(Work), "the log-mel front end"));
  return LogMel(num_mels, std::move(block));
}

void LogMel::ComputeFrames(const float* samples, int num_frames,
                           float* frames) {
  assert(num_frames <= kGroupFrames);
  float* power = work()->power;
  float* mels = work()->mels;
  spectrum_.Compute(samples, kFrameHop, work()->scratch, power);
  for (int mel = 0; mel < num_mels(); ++mel) {
    const MelFilter& filter = filters_[mel];
    float sums[kGroupFrames] = {};
    const float* bin = power + filter.first_bin * kGroupFrames;
    for (const float weight : filter.weights) {
      for (int lane = 0; lane < kGroupFrames; ++lane)
        sums[lane] += weight * bin[lane];
      bin += kGroupFrames;
    }
    std::copy_n(sums, kGroupFrames, mels + mel * kGroupFrames);
  }
  const int num_values = num_mels() * kGroupFrames;
  for (int i = 0; i < num_values; ++i) mels[i] = LogPower(mels[i]);
  for (int frame = 0; frame < num_frames; ++frame) {
    for (int mel = 0; mel < num_mels(); ++mel)
      *frames++ = mels[mel * kGroupFrames + frame];
  }
}

void LogMel::ComputeWindow(absl::Span<const float> samples, int num_frames,
                           absl::Span<float> frames) {
  assert(num_frames >= 2 &&
         frames.size() == static_cast<size_t>(num_frames) * num_mels());
  const int64_t end = int64_t{num_frames} * kFrameHop;
  const int64_t num_samples =
      std::min<int64_t>(end, static_cast<int64_t>(samples.size()));
  // Frames from here on are over silence alone.
  const int num_heard = static_cast<int>(std::min<int64_t>(
      num_frames, (num_samples + kReach + kFrameHop - 1) / kFrameHop));
  float* room = work()->samples;
  for (int frame = 0; frame < num_heard; frame += kGroupFrames) {
    const int64_t begin = int64_t{frame} * kFrameHop - kReach;
    const int64_t inside = std::max<int64_t>(begin, 0);
    const int64_t inside_end =
        std::max(inside, std::min(begin + kGroupSamples, num_samples));
    std::fill_n(room, kGroupSamples, 0.0f);
    CopyFinite(samples.data() + inside, inside_end - inside,
               room + (inside - begin));
    const auto reflect = [&](int64_t to, int64_t from) {
      if (from < num_samples) CopyFinite(&samples[from], 1, room + to - begin);
    };
    for (int64_t i = begin; i < 0; ++i) reflect(i, -i);
    for (int64_t i = end; i < std::min(begin + kGroupSamples, end + kReach);
         ++i)
      reflect(i, 2 * (end - 1) - i);
    ComputeFrames(room, std::min(kGroupFrames, num_heard - frame),
                  &frames[static_cast<size_t>(frame) * num_mels()]);
  }
  const size_t heard = static_cast<size_t>(num_heard) * num_mels();
  std::fill(frames.begin() + heard, frames.end(), kSilentLogMel);
  NormalizeLogMel(PeakOf(frames), frames);
}

absl::StatusOr<MelStream> MelStream::Create(int num_mels, int max_frames,
                                            Memory& memory) {
  if (max_frames < 1)
    return absl::InvalidArgumentError("max_frames must be 1 or more");
  SPECINFER_ASSIGN_OR_RETURN(LogMel log_mel, LogMel::Create(num_mels, memory));
  const size_t num_values =
      static_cast<size_t>(max_frames) * num_mels + LogMel::kGroupSamples;
  SPECINFER_ASSIGN_OR_RETURN(
      Block block,
      memory.Allocate(num_values * sizeof(float), "log-mel frames"));
  return MelStream(std::move(log_mel), max_frames, std::move(block));
}

size_t MelStream::Push(absl::Span<const float> samples) {
  size_t num_taken = 0;
  while (true) {
    const int64_t space = max_frames_ - (num_frames_ - first_frame_);
    // One more sample would complete a frame for which there is no space.
    const int64_t most = std::min<int64_t>(
        LogMel::kGroupSamples, kFrameSamples + kFrameHop * space - 1);
    const size_t count = std::min(
        samples.size() - num_taken,
        static_cast<size_t>(std::max<int64_t>(0, most - num_pending_)));
    if (count == 0) return num_taken;
    CopyFinite(samples.data() + num_taken, count, pending() + num_pending_);
    num_pending_ += static_cast<int>(count);
    num_samples_ += static_cast<int64_t>(count);
    num_taken += count;
    KeepCompleteFrames();
  }
}

int MelStream::NumComplete() const {
  // The window is 0 at a frame's first sample: of the audio's first frame the
  // farthest reflection, of a sample that may not be there yet, has no weight.
  if (num_pending_ < kFrameSamples) return 0;
  return (num_pending_ - kFrameSamples) / kFrameHop + 1;
}

void MelStream::ReflectStart() {
  if (num_frames_ > 0) return;
  for (int i = 1; i <= kReach; ++i)
    pending()[kReach - i] = pending()[kReach + i];
}

void MelStream::KeepCompleteFrames() {
  const int count = NumComplete();
  if (count == 0) return;
  ReflectStart();
  float* frames =
      kept() + static_cast<size_t>(num_frames_ - first_frame_) * num_mels();
  log_mel_.ComputeFrames(pending(), count, frames);
  peak_ = std::max(peak_,
                   PeakOf({frames, static_cast<size_t>(count) * num_mels()}));
  num_frames_ += count;
  num_pending_ -= count * kFrameHop;
  std::memmove(pending(), pending() + count * kFrameHop,
               num_pending_ * sizeof(float));
}

void MelStream::CopyWindow(int64_t first, int count, absl::Span<float> frames,
                           float peak) {
  assert(first >= first_frame_ &&
         frames.size() == static_cast<size_t>(count) * num_mels());
  const size_t width = num_mels();
  const int64_t num_final = std::clamp<int64_t>(num_frames_ - first, 0, count);
  if (num_final > 0) {
    std::copy_n(kept() + static_cast<size_t>(first - first_frame_) * width,
                static_cast<size_t>(num_final) * width, frames.begin());
  }
  std::fill(frames.begin() + static_cast<size_t>(num_final) * width,
            frames.end(), kSilentLogMel);
  // Frames that samples to come may change: over the pending ones and zeros.
  std::fill(pending() + num_pending_, pending() + LogMel::kGroupSamples, 0.0f);
  ReflectStart();
  constexpr int kMaxOpen = kFrameSamples / kFrameHop + 1;
  float open[kMaxOpen * LogMel::kMaxMels];
  const int num_open = (num_pending_ + kFrameHop - 1) / kFrameHop;
  log_mel_.ComputeFrames(pending(), num_open, open);
  for (int i = 0; i < num_open; ++i) {
    const int64_t row = num_frames_ + i - first;
    if (row < 0 || row >= count) continue;
    std::copy_n(open + i * width, width,
                frames.begin() + static_cast<size_t>(row) * width);
  }
  NormalizeLogMel(std::max(peak, PeakOf(frames)), frames);
}

void MelStream::DropBefore(int64_t frame) {
  const int64_t kept_from = std::clamp(frame, first_frame_, num_frames_);
  const size_t width = num_mels();
  std::memmove(
      kept(), kept() + static_cast<size_t>(kept_from - first_frame_) * width,
      static_cast<size_t>(num_frames_ - kept_from) * width * sizeof(float));
  first_frame_ = kept_from;
}

void MelStream::Reset() {
  first_frame_ = num_frames_ = num_samples_ = 0;
  num_pending_ = kReach;
  peak_ = kSilentLogMel;
}

}  // namespace specinfer
