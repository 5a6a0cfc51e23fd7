#include "backends/cpu/cpu_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/linear.h"
#include "backends/cpu/kernels/ops.h"

namespace specinfer::cpu {

CpuStream::CpuStream(Isa isa, Executor& executor, Scratch scratch)
    : isa_(isa), tiles_(executor), scratch_(std::move(scratch)) {}

void CpuStream::Begin(const PassControl& control, bool resume) {
  status_ = absl::OkStatus();
  tiles_.BeginPass(control, resume);
}

absl::Status CpuStream::Issue(absl::FunctionRef<absl::Status()> op) {
  if (!status_.ok()) return status_;
  if (tiles_.SkipOp()) return absl::OkStatus();
  status_ = op();
  if (status_.ok()) tiles_.EndOp();
  return status_;
}

absl::Status CpuStream::CopyIn(absl::Span<const float> from, const Tensor& to) {
  return Issue([&] {
    return tiles_.SerialPhase(
        [&] { std::copy_n(from.data(), from.size(), Floats(to)); });
  });
}

absl::Status CpuStream::CopyOut(const Tensor& from, absl::Span<float> to) {
  return Issue([&] {
    return tiles_.SerialPhase(
        [&] { std::copy_n(Floats(from), to.size(), to.data()); });
  });
}

absl::Status CpuStream::Embed(const EmbedArgs& args) {
  return Issue([&] { return RunEmbed(args, isa_, tiles_); });
}

absl::Status CpuStream::RmsNorm(const RmsNormArgs& args) {
  return Issue([&] { return RunRmsNorm(args, isa_, tiles_); });
}

absl::Status CpuStream::LayerNorm(const LayerNormArgs& args) {
  return Issue([&] { return RunLayerNorm(args, isa_, tiles_); });
}

absl::Status CpuStream::Unfold(const UnfoldArgs& args) {
  return Issue([&] { return RunUnfold(args, tiles_); });
}

absl::Status CpuStream::Linear(const LinearArgs& args) {
  return Issue([&] { return RunLinear(args, isa_, scratch_, tiles_); });
}

absl::Status CpuStream::RopeAndStore(const RopeAndStoreArgs& args) {
  return Issue([&] { return RunRopeAndStore(args, isa_, tiles_); });
}

absl::Status CpuStream::TreeAttention(const TreeAttentionArgs& args) {
  return Issue([&] { return RunTreeAttention(args, isa_, scratch_, tiles_); });
}

absl::Status CpuStream::AttentionWeights(const AttentionWeightsArgs& args) {
  return Issue([&] { return RunAttentionWeights(args, tiles_); });
}

absl::Status CpuStream::GatedActivation(const GatedActivationArgs& args) {
  return Issue([&] { return RunGatedActivation(args, isa_, tiles_); });
}

absl::Status CpuStream::Add(const AddArgs& args) {
  return Issue([&] { return RunAdd(args, isa_, tiles_); });
}

absl::Status CpuStream::GatherRows(const GatherRowsArgs& args) {
  return Issue([&] { return RunGatherRows(args, tiles_); });
}

absl::Status CpuStream::MoveCacheSlots(const MoveCacheSlotsArgs& args) {
  return Issue([&] { return RunMoveCacheSlots(args, tiles_); });
}

absl::Status CpuStream::Head(const HeadArgs& args) {
  return Issue([&] { return RunHead(args, isa_, scratch_, tiles_); });
}

// Every op has finished when its call returns. A deadline that passes after the
// last op stops nothing: otherwise a pass with a short deadline would never
// end.
absl::Status CpuStream::Wait() {
  if (status_.ok() && tiles_.IsCancelled())
    status_ = absl::CancelledError("the pass was cancelled");
  return status_;
}

}  // namespace specinfer::cpu
