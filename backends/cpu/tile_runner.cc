// TileRunner of cpu_stream.h.
#include <algorithm>
#include <atomic>

#include "backends/cpu/cpu_stream.h"
#include "src/base/clock.h"
#include "src/base/float_control.h"

namespace specinfer::cpu {
namespace {

enum class Stop : int { kNone, kDeadline, kCancel };

}  // namespace

void TileRunner::BeginPass(const PassControl& control, bool resume) {
  control_ = control;
  has_progress_ = false;
  op_ = 0;
  phase_ = 0;
  if (resume) return;
  num_complete_ops_ = 0;
  num_complete_phases_ = 0;
  num_complete_tiles_ = 0;
}

bool TileRunner::SkipOp() {
  phase_ = 0;
  return op_++ < num_complete_ops_;
}

void TileRunner::EndOp() {
  ++num_complete_ops_;
  num_complete_phases_ = 0;
  num_complete_tiles_ = 0;
}

bool TileRunner::IsCancelled() const {
  return control_.is_cancelled != nullptr &&
         control_.is_cancelled->load(std::memory_order_relaxed);
}

absl::Status TileRunner::Phase(
    int64_t num_tiles, absl::FunctionRef<void(int64_t tile, int worker)> task) {
  if (phase_++ < num_complete_phases_) return absl::OkStatus();
  const int64_t first_tile = num_complete_tiles_;
  const bool has_progress = has_progress_;
  std::atomic<int64_t> next_tile{first_tile};
  std::atomic<Stop> stop{Stop::kNone};
  // Looks at the control before it claims, never after: all tiles below
  // next_tile are complete at the end.
  const auto work = [&](int worker) {
    const ScopedFloatControl float_control;
    while (true) {
      const int64_t next = next_tile.load(std::memory_order_relaxed);
      if (next >= num_tiles) return;
      if (IsCancelled()) {
        stop.store(Stop::kCancel, std::memory_order_relaxed);
        return;
      }
      const bool is_owed = !has_progress && next == first_tile;
      if (!is_owed && control_.deadline_us != kNoDeadline &&
          NowMicros() >= control_.deadline_us) {
        Stop none = Stop::kNone;
        stop.compare_exchange_strong(none, Stop::kDeadline,
                                     std::memory_order_relaxed);
        return;
      }
      const int64_t tile = next_tile.fetch_add(1, std::memory_order_relaxed);
      if (tile >= num_tiles) return;
      task(tile, worker);
    }
  };
  const int num_tasks = static_cast<int>(
      std::min<int64_t>(num_workers(), num_tiles - first_tile));
  if (num_tasks <= 1) {
    work(0);
  } else {
    executor_.Run(num_tasks, work);
  }
  num_complete_tiles_ =
      std::min(next_tile.load(std::memory_order_relaxed), num_tiles);
  has_progress_ = has_progress || num_complete_tiles_ > first_tile;
  if (num_complete_tiles_ == num_tiles) {
    ++num_complete_phases_;
    num_complete_tiles_ = 0;
    return absl::OkStatus();
  }
  if (stop.load(std::memory_order_relaxed) == Stop::kCancel)
    return absl::CancelledError("the pass was cancelled");
  return absl::DeadlineExceededError("the pass stopped at its deadline");
}

absl::Status TileRunner::SerialPhase(absl::FunctionRef<void()> task) {
  return Phase(1, [&](int64_t, int) { task(); });
}

}  // namespace specinfer::cpu
