// TileRunner of cpu_stream.h.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "backends/cpu/cpu_stream.h"
#include "src/base/clock.h"
#include "src/base/float_control.h"

namespace specinfer::cpu {
namespace {

// A pause looks this often whether it has been cancelled, or is over before its
// time. That is also longer than the gaps between passes of those for whom
// others wait.
constexpr int64_t kPauseLookMicros = 1000;

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
  Stop stop = Stop::kPause;
  while (stop == Stop::kPause) {
    stop = SleepThroughPause();
    if (stop == Stop::kNone) stop = RunTiles(num_tiles, task);
  }
  if (num_complete_tiles_ == num_tiles) {
    ++num_complete_phases_;
    num_complete_tiles_ = 0;
    return absl::OkStatus();
  }
  if (stop == Stop::kCancel)
    return absl::CancelledError("the pass was cancelled");
  return absl::DeadlineExceededError("the pass stopped at its deadline");
}

// Looks at the control before it claims, never after: all tiles below next_tile
// are complete at the end.
TileRunner::Stop TileRunner::RunTiles(
    int64_t num_tiles, absl::FunctionRef<void(int64_t tile, int worker)> task) {
  const int64_t first_tile = num_complete_tiles_;
  const bool has_deadline = control_.deadline_us != kNoDeadline;
  DutyCycle& duty_cycle = executor_.duty_cycle();
  const bool is_limited =
      duty_cycle.fraction() < 1.0 && duty_cycle.Begin(NowMicros());
  std::atomic<int64_t> next_tile{first_tile};
  std::atomic<Stop> stop{Stop::kNone};
  const auto look = [&](int64_t next) {
    if (IsCancelled()) return Stop::kCancel;
    if (MustWait()) return Stop::kPause;
    if (!is_limited && !has_deadline) return Stop::kNone;
    const int64_t now_us = NowMicros();
    const bool is_owed = !has_progress_ && next == first_tile;
    if (!is_owed && now_us >= control_.deadline_us) return Stop::kDeadline;
    if (is_limited && !is_owed && duty_cycle.PauseEnd(now_us) != 0)
      return Stop::kPause;
    return Stop::kNone;
  };
  const auto work = [&](int worker) {
    const ScopedFloatControl float_control;
    while (true) {
      const int64_t next = next_tile.load(std::memory_order_relaxed);
      if (next >= num_tiles) return;
      const Stop seen = look(next);
      if (seen != Stop::kNone) {
        Stop before = stop.load(std::memory_order_relaxed);
        while (before < seen && !stop.compare_exchange_weak(
                                    before, seen, std::memory_order_relaxed)) {
        }
        return;
      }
      const int64_t tile = next_tile.fetch_add(1, std::memory_order_relaxed);
      if (tile >= num_tiles) return;
      task(tile, worker);
    }
  };
  const int num_tasks = static_cast<int>(
      std::min<int64_t>(executor_.num_threads(), num_tiles - first_tile));
  if (num_tasks <= 1) {
    work(0);
  } else {
    executor_.Run(num_tasks, work);
  }
  if (is_limited) duty_cycle.End(NowMicros());
  num_complete_tiles_ =
      std::min(next_tile.load(std::memory_order_relaxed), num_tiles);
  has_progress_ = has_progress_ || num_complete_tiles_ > first_tile;
  return stop.load(std::memory_order_relaxed);
}

// On the calling thread alone: the executor's threads, which may be the host's,
// are free meanwhile. Outside the duty cycle's account, or short steps would
// use up in looking what a small fraction earns.
TileRunner::Stop TileRunner::SleepThroughPause() {
  DutyCycle& duty_cycle = executor_.duty_cycle();
  while (true) {
    const bool must_wait = MustWait();
    if (!must_wait && duty_cycle.fraction() >= 1.0) return Stop::kNone;
    const int64_t now_us = NowMicros();
    const int64_t pause_end_us =
        must_wait ? kNoDeadline : duty_cycle.PauseEnd(now_us);
    if (pause_end_us == 0) return Stop::kNone;
    if (IsCancelled()) return Stop::kCancel;
    if (now_us >= control_.deadline_us) return Stop::kDeadline;
    const int64_t end_us = std::min(
        {pause_end_us, control_.deadline_us, now_us + kPauseLookMicros});
    std::this_thread::sleep_for(std::chrono::microseconds(end_us - now_us));
    if (must_wait) control_.turn->AddWaited(NowMicros() - now_us);
  }
}

absl::Status TileRunner::SerialPhase(absl::FunctionRef<void()> task) {
  return Phase(1, [&](int64_t, int) { task(); });
}

}  // namespace specinfer::cpu
