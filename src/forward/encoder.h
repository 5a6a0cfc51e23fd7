// One pass of an encoder over windows of sound: log-mel frames become the keys
// and values that a decoder's layers attend to.
#ifndef SPECINFER_SRC_FORWARD_ENCODER_H_
#define SPECINFER_SRC_FORWARD_ENCODER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/backend/backend.h"
#include "src/forward/norm.h"
#include "src/forward/sequence.h"
#include "src/model/architecture.h"
#include "src/model/weights.h"

namespace specinfer {

// A window of sound and where what is encoded of it goes.
struct EncoderWindow {
  absl::Span<const float> mel;  // [frames, mel_bins]
  Sequence* memory = nullptr;   // of the decoder's layers
};

// Not thread-safe; owns the stream and the scratch memory of its passes.
class Encoder {
 public:
  // For passes of up to `max_windows` windows. The rest must outlive it.
  // Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<Encoder>> Create(
      Backend& backend, const Architecture& architecture,
      const Weights& weights, int32_t max_windows, CacheType cache_type);
  // Encodes windows of equally many frames, an even number of up to
  // max_frames(): a position for each two. Each memory then holds that many
  // committed positions, and nothing of before. As Decoder::Forward, the same
  // call continues after DEADLINE_EXCEEDED; after any other error or Abandon()
  // the memories are empty. Less urgent work waits meanwhile (control.turn).
  absl::Status Encode(absl::Span<const EncoderWindow> windows,
                      const PassControl& control);
  bool is_paused() const { return is_paused_; }
  void Abandon() { is_paused_ = false; }

  int32_t max_frames() const { return 2 * architecture_.encoder.max_positions; }

 private:
  Encoder(const Architecture& architecture, const Weights& weights,
          int32_t max_windows, CacheType cache_type);
  absl::Status Allocate(Backend& backend);
  absl::Status Begin(absl::Span<const EncoderWindow> windows);
  absl::Status RunPass(absl::Span<const EncoderWindow> windows);
  absl::Status Convolve(const LinearWeights& weights, const Tensor& in,
                        int64_t frames, int64_t stride, const Tensor& out);
  absl::Status Attention(const LayerWeights& weights);
  absl::Status FeedForward(const LayerWeights& weights);
  absl::Status Norm(const Tensor& in, const NormWeights& weights,
                    const Tensor& out) {
    return Normalize(architecture_, in, weights, out, *stream_);
  }
  absl::Status WriteMemory(absl::Span<const EncoderWindow> windows);
  // Writes key_ and value_ of all rows into the pages of `sequences_`.
  absl::Status Store(const CacheLayout& layout, size_t layer);
  void PlanRows(absl::Span<Sequence* const> sequences, int32_t num_committed);

  const Architecture& architecture_;
  const Weights& weights_;
  const int32_t max_windows_;
  const CacheLayout layout_;  // of one layer
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Buffer> scratch_;
  std::vector<std::unique_ptr<Sequence>> work_;  // keys and values of a layer
  bool is_paused_ = false;

  // This pass.
  int32_t num_positions_ = 0;  // of each window
  int32_t num_rows_ = 0;
  std::vector<Sequence*> targets_;
  std::vector<AttentionSequence> sequences_;

  // Scratch for all windows. Frames and what convolutions read of them share
  // the memory of what layers need.
  Tensor mel_, unfolded_, frames_;
  Tensor residual_, normed_, query_, key_, value_, attended_, up_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_FORWARD_ENCODER_H_
