#include "src/forward/encoder.h"

#include <algorithm>
#include <array>

#include "src/base/float_control.h"
#include "src/base/status_macros.h"

namespace specinfer {
namespace {

constexpr size_t kAlignment = 64;
// Rows of the feed-forward that are computed at a time: what lies between its
// layers stays in a core's cache.
constexpr int64_t kFeedForwardRows = 256;

// Cuts tensors from a buffer, or only counts what they take.
class Cutter {
 public:
  explicit Cutter(Buffer* buffer) : buffer_(buffer) {}
  Tensor Take(int64_t rows, int64_t columns) {
    const Tensor tensor = {buffer_, offset_, rows, columns};
    offset_ +=
        (static_cast<size_t>(rows * columns) * sizeof(float) + kAlignment - 1) /
        kAlignment * kAlignment;
    return tensor;
  }
  size_t offset() const { return offset_; }
  void GoTo(size_t offset) { offset_ = offset; }

 private:
  Buffer* buffer_;
  size_t offset_ = 0;
};

CacheLayout LayoutOfOneLayer(const Architecture& architecture,
                             CacheType cache_type) {
  Architecture one = architecture;
  one.layers.resize(1);
  return MakeCacheLayout(one, cache_type);
}

StreamLimits Limits(const Architecture& a, int32_t max_windows) {
  return {
      .max_rows = int64_t{2} * a.encoder.max_positions * max_windows,
      .max_inputs = std::max({3 * a.hidden_size, 3 * a.encoder.mel_bins,
                              a.encoder.feed_forward_size}),
      .max_vocabulary = 0,
      .max_heads = a.heads,
      .max_head_dim = a.head_dim,
  };
}

struct EncoderScratch {
  Tensor mel, unfolded, frames;
  Tensor residual, normed, query, key, value, attended, up;
  size_t num_bytes = 0;
};

// The convolutions are over when the layers begin.
EncoderScratch CutScratch(const Architecture& a, int32_t max_windows,
                          Buffer* buffer) {
  const int64_t rows = int64_t{a.encoder.max_positions} * max_windows;
  const int64_t attention = int64_t{a.heads} * a.head_dim;
  const int64_t kv = int64_t{a.kv_heads} * a.head_dim;
  Cutter cutter(buffer);
  EncoderScratch s;
  s.residual = cutter.Take(rows, a.hidden_size);
  const size_t shared = cutter.offset();
  s.mel = cutter.Take(2 * rows, a.encoder.mel_bins);
  s.frames = cutter.Take(2 * rows, a.hidden_size);
  s.unfolded = cutter.Take(
      1, std::max(2 * rows * 3 * a.encoder.mel_bins, rows * 3 * a.hidden_size));
  const size_t convolved = cutter.offset();
  cutter.GoTo(shared);
  s.normed = cutter.Take(rows, a.hidden_size);
  s.query = cutter.Take(rows, attention);
  s.key = cutter.Take(rows, kv);
  s.value = cutter.Take(rows, kv);
  s.attended = cutter.Take(rows, attention);
  s.up = cutter.Take(std::min(rows, kFeedForwardRows),
                     a.encoder.feed_forward_size);
  s.num_bytes = std::max(cutter.offset(), convolved);
  return s;
}

}  // namespace

Encoder::Encoder(const Architecture& architecture, const Weights& weights,
                 int32_t max_windows, CacheType cache_type)
    : architecture_(architecture),
      weights_(weights),
      max_windows_(max_windows),
      layout_(LayoutOfOneLayer(architecture, cache_type)) {}

absl::StatusOr<std::unique_ptr<Encoder>> Encoder::Create(
    Backend& backend, const Architecture& architecture, const Weights& weights,
    int32_t max_windows, CacheType cache_type) {
  std::unique_ptr<Encoder> encoder(
      new Encoder(architecture, weights, max_windows, cache_type));
  SPECINFER_RETURN_IF_ERROR(encoder->Allocate(backend));
  return encoder;
}

absl::Status Encoder::Allocate(Backend& backend) {
  SPECINFER_ASSIGN_OR_RETURN(
      stream_, backend.CreateStream(Limits(architecture_, max_windows_)));
  SPECINFER_ASSIGN_OR_RETURN(
      scratch_, backend.Allocate(
                    CutScratch(architecture_, max_windows_, nullptr).num_bytes,
                    "encoder scratch"));
  const EncoderScratch s =
      CutScratch(architecture_, max_windows_, scratch_.get());
  mel_ = s.mel;
  unfolded_ = s.unfolded;
  frames_ = s.frames;
  residual_ = s.residual;
  normed_ = s.normed;
  query_ = s.query;
  key_ = s.key;
  value_ = s.value;
  attended_ = s.attended;
  up_ = s.up;
  for (int32_t i = 0; i < max_windows_; ++i) {
    SPECINFER_ASSIGN_OR_RETURN(
        std::unique_ptr<Sequence> sequence,
        Sequence::Create(backend, layout_, 0,
                         architecture_.encoder.max_positions));
    work_.push_back(std::move(sequence));
  }
  targets_.reserve(static_cast<size_t>(max_windows_));
  sequences_.reserve(static_cast<size_t>(max_windows_));
  return absl::OkStatus();
}

absl::Status Encoder::Encode(absl::Span<const EncoderWindow> windows,
                             const PassControl& control) {
  const ScopedFloatControl float_control;
  const ScopedTurn turn(control.turn);
  if (!is_paused_) SPECINFER_RETURN_IF_ERROR(Begin(windows));
  stream_->Begin(control, /*resume=*/is_paused_);
  const absl::Status status = RunPass(windows);
  is_paused_ = absl::IsDeadlineExceeded(status);
  if (status.ok()) {
    for (const EncoderWindow& window : windows)
      window.memory->CommitChain(num_positions_);
  }
  return status;
}

absl::Status Encoder::Begin(absl::Span<const EncoderWindow> windows) {
  const int64_t num_frames = static_cast<int64_t>(windows[0].mel.size()) /
                             architecture_.encoder.mel_bins;
  num_positions_ = static_cast<int32_t>(num_frames / 2);
  num_rows_ = num_positions_ * static_cast<int32_t>(windows.size());
  for (size_t i = 0; i < windows.size(); ++i) {
    windows[i].memory->Truncate(0);
    SPECINFER_RETURN_IF_ERROR(windows[i].memory->Prepare(num_positions_));
    SPECINFER_RETURN_IF_ERROR(work_[i]->Prepare(num_positions_));
  }
  return absl::OkStatus();
}

absl::Status Encoder::RunPass(absl::Span<const EncoderWindow> windows) {
  const EncoderWeights& w = weights_.encoder;
  const int64_t num_frames = int64_t{2} * num_positions_;
  const int64_t num_windows = static_cast<int64_t>(windows.size());
  for (int64_t i = 0; i < num_windows; ++i) {
    SPECINFER_RETURN_IF_ERROR(
        stream_->CopyIn(windows[static_cast<size_t>(i)].mel,
                        mel_.Rows(i * num_frames, num_frames)));
  }
  const Tensor frames = frames_.Rows(0, num_frames * num_windows);
  const Tensor residual = residual_.Rows(0, num_rows_);
  SPECINFER_RETURN_IF_ERROR(Convolve(w.convolution1,
                                     mel_.Rows(0, num_frames * num_windows),
                                     num_frames, 1, frames));
  SPECINFER_RETURN_IF_ERROR(
      Convolve(w.convolution2, frames, num_frames, 2, residual));
  for (int64_t i = 0; i < num_windows; ++i) {
    SPECINFER_RETURN_IF_ERROR(
        stream_->Add({.sum = residual.Rows(i * num_positions_, num_positions_),
                      .addend = w.positions.Rows(0, num_positions_)}));
  }
  for (const LayerWeights& layer : w.layers) {
    SPECINFER_RETURN_IF_ERROR(Attention(layer));
    SPECINFER_RETURN_IF_ERROR(FeedForward(layer));
  }
  SPECINFER_RETURN_IF_ERROR(WriteMemory(windows));
  return stream_->Wait();
}

absl::Status Encoder::Convolve(const LinearWeights& weights, const Tensor& in,
                               int64_t frames, int64_t stride,
                               const Tensor& out) {
  const Tensor unfolded = {unfolded_.buffer, unfolded_.offset, out.rows,
                           3 * in.columns};
  SPECINFER_RETURN_IF_ERROR(stream_->Unfold(
      {.in = in, .frames = frames, .stride = stride, .out = unfolded}));
  const std::array<LinearOutput, 1> output = {
      {{weights.weight.get(), weights.bias, out}}};
  SPECINFER_RETURN_IF_ERROR(
      stream_->Linear({.in = unfolded, .outputs = output}));
  return stream_->GatedActivation(
      {.activation = architecture_.activation, .gate = out, .out = out});
}

void Encoder::PlanRows(absl::Span<Sequence* const> sequences,
                       int32_t num_committed) {
  sequences_.clear();
  int32_t first_row = 0;
  for (const Sequence* sequence : sequences) {
    sequences_.push_back({.pages = sequence->pages(0),
                          .num_committed = num_committed,
                          .num_nodes = num_positions_,
                          .first_row = first_row});
    first_row += num_positions_;
  }
}

absl::Status Encoder::Store(const CacheLayout& layout, size_t layer) {
  PlanRows(targets_, /*num_committed=*/0);
  const Tensor key = key_.Rows(0, num_rows_);
  return stream_->RopeAndStore({.query = key,
                                .key = key,
                                .value = value_.Rows(0, num_rows_),
                                .heads = 0,
                                .kv_heads = architecture_.kv_heads,
                                .head_dim = architecture_.head_dim,
                                .sequences = sequences_,
                                .cache_type = layout.cache_type,
                                .layer_offset = layout.layer_offset[layer]});
}

absl::Status Encoder::Attention(const LayerWeights& w) {
  const Architecture& a = architecture_;
  const Tensor residual = residual_.Rows(0, num_rows_);
  const Tensor normed = normed_.Rows(0, num_rows_);
  const Tensor query = query_.Rows(0, num_rows_);
  const Tensor attended = attended_.Rows(0, num_rows_);

  SPECINFER_RETURN_IF_ERROR(Norm(residual, w.attention_norm, normed));
  const std::array<LinearOutput, 3> outputs = {
      {{w.query.weight.get(), w.query.bias, query},
       {w.key.weight.get(), w.key.bias, key_.Rows(0, num_rows_)},
       {w.value.weight.get(), w.value.bias, value_.Rows(0, num_rows_)}}};
  SPECINFER_RETURN_IF_ERROR(
      stream_->Linear({.in = normed, .outputs = outputs}));
  targets_.clear();
  for (int32_t i = 0; i < num_rows_ / num_positions_; ++i)
    targets_.push_back(work_[static_cast<size_t>(i)].get());
  SPECINFER_RETURN_IF_ERROR(Store(layout_, 0));
  PlanRows(targets_, /*num_committed=*/num_positions_);
  SPECINFER_RETURN_IF_ERROR(
      stream_->TreeAttention({.query = query,
                              .sequences = sequences_,
                              .cache_type = layout_.cache_type,
                              .heads = a.heads,
                              .kv_heads = a.kv_heads,
                              .head_dim = a.head_dim,
                              .scale = a.attention_scale,
                              .sees_committed = true,
                              .out = attended}));
  const std::array<LinearOutput, 1> output = {
      {{w.attention_output.weight.get(), w.attention_output.bias, normed}}};
  SPECINFER_RETURN_IF_ERROR(
      stream_->Linear({.in = attended, .outputs = output}));
  return stream_->Add({.sum = residual, .addend = normed});
}

absl::Status Encoder::FeedForward(const LayerWeights& w) {
  for (int64_t first = 0; first < num_rows_; first += kFeedForwardRows) {
    const int64_t count = std::min(kFeedForwardRows, num_rows_ - first);
    const Tensor residual = residual_.Rows(first, count);
    const Tensor normed = normed_.Rows(first, count);
    const Tensor up = up_.Rows(0, count);
    SPECINFER_RETURN_IF_ERROR(Norm(residual, w.feed_forward_norm, normed));
    const std::array<LinearOutput, 1> ups = {
        {{w.up.weight.get(), w.up.bias, up}}};
    SPECINFER_RETURN_IF_ERROR(stream_->Linear({.in = normed, .outputs = ups}));
    SPECINFER_RETURN_IF_ERROR(stream_->GatedActivation(
        {.activation = architecture_.activation, .gate = up, .out = up}));
    const std::array<LinearOutput, 1> downs = {
        {{w.down.weight.get(), w.down.bias, normed}}};
    SPECINFER_RETURN_IF_ERROR(stream_->Linear({.in = up, .outputs = downs}));
    SPECINFER_RETURN_IF_ERROR(
        stream_->Add({.sum = residual, .addend = normed}));
  }
  return absl::OkStatus();
}

absl::Status Encoder::WriteMemory(absl::Span<const EncoderWindow> windows) {
  const Tensor normed = normed_.Rows(0, num_rows_);
  SPECINFER_RETURN_IF_ERROR(
      Norm(residual_.Rows(0, num_rows_), weights_.encoder.output_norm, normed));
  targets_.clear();
  for (const EncoderWindow& window : windows) targets_.push_back(window.memory);
  for (size_t layer = 0; layer < weights_.layers.size(); ++layer) {
    const LayerWeights& w = weights_.layers[layer];
    const std::array<LinearOutput, 2> outputs = {
        {{w.cross_key.weight.get(), w.cross_key.bias, key_.Rows(0, num_rows_)},
         {w.cross_value.weight.get(), w.cross_value.bias,
          value_.Rows(0, num_rows_)}}};
    SPECINFER_RETURN_IF_ERROR(
        stream_->Linear({.in = normed, .outputs = outputs}));
    SPECINFER_RETURN_IF_ERROR(Store(windows[0].memory->layout(), layer));
  }
  return absl::OkStatus();
}

}  // namespace specinfer
