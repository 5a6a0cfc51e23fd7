// Who goes first where several callers share an engine: the more urgent one.
#ifndef SPECINFER_SRC_BACKEND_TURNS_H_
#define SPECINFER_SRC_BACKEND_TURNS_H_

#include <atomic>
#include <cstdint>

namespace specinfer {

enum class Urgency : int32_t {
  kOrdinary = 0,  // chat, and recordings: whoever waits can wait longer
  kRaised = 1,    // completion: somebody types meanwhile
  kHighest = 2,   // live speech
};

// Counts an engine's work in progress by its urgency. Thread-safe. Relaxed: it
// says when to compute, and orders no other memory.
class Turns {
 public:
  void Begin(Urgency urgency) {
    counts_.fetch_add(One(urgency), std::memory_order_relaxed);
  }
  void End(Urgency urgency) {
    counts_.fetch_sub(One(urgency), std::memory_order_relaxed);
  }
  bool HasMoreUrgent(Urgency than) const {
    return counts_.load(std::memory_order_relaxed) >> Shift(than) >> kBits != 0;
  }

 private:
  // A count of each urgency, the highest at the top.
  static constexpr int kBits = 21;
  static constexpr int Shift(Urgency urgency) {
    return kBits * static_cast<int>(urgency);
  }
  static constexpr uint64_t One(Urgency urgency) {
    return uint64_t{1} << Shift(urgency);
  }

  std::atomic<uint64_t> counts_{0};
};

// One caller's turns, pass after pass. Of the caller's thread; must_wait of any
// that computes for it meanwhile.
class Turn {
 public:
  // `turns` must outlive it.
  explicit Turn(Turns& turns, Urgency urgency = Urgency::kOrdinary)
      : turns_(turns), urgency_(urgency) {}

  // REQUIRES: no ScopedTurn of it lives.
  void set_urgency(Urgency urgency) { urgency_ = urgency; }

  // Whether more urgent work is in progress: passes then pause between tiles,
  // and note for how long.
  bool must_wait() const { return turns_.HasMoreUrgent(urgency_); }
  void AddWaited(int64_t duration_us) { waited_us_ += duration_us; }
  int64_t waited_us() const { return waited_us_; }

 private:
  friend class ScopedTurn;
  Turns& turns_;
  Urgency urgency_;
  int64_t waited_us_ = 0;
};

// While it lives, less urgent work waits. So it never spans a call of the
// host's, which may do such work on the same thread.
class ScopedTurn {
 public:
  // `turn` may be null: nobody waits.
  explicit ScopedTurn(Turn* turn) : turn_(turn) {
    if (turn_ != nullptr) turn_->turns_.Begin(turn_->urgency_);
  }
  ~ScopedTurn() {
    if (turn_ != nullptr) turn_->turns_.End(turn_->urgency_);
  }
  ScopedTurn(const ScopedTurn&) = delete;
  ScopedTurn& operator=(const ScopedTurn&) = delete;

 private:
  Turn* const turn_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_BACKEND_TURNS_H_
