// The CPU's stream: runs each op at once, in phases of tiles spread over the
// executor.
#ifndef SPECINFER_BACKENDS_CPU_CPU_STREAM_H_
#define SPECINFER_BACKENDS_CPU_CPU_STREAM_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "backends/cpu/isa.h"
#include "src/backend/backend.h"
#include "src/backend/stream.h"
#include "src/base/executor.h"
#include "src/base/memory.h"

namespace specinfer::cpu {

// How an op runs its tiles: it calls Phase once per phase, always the same
// phases for the same arguments. After a deadline the same op is issued again;
// Phase then skips the phases and tiles that were complete.
class TileRunner {
 public:
  explicit TileRunner(Executor& executor) : executor_(executor) {}

  int num_workers() const { return executor_.num_workers(); }

  // Runs task(tile, worker) for each tile of [0, num_tiles); worker <
  // num_workers() is this task's own, for scratch. Tiles may run in any order;
  // a tile that has begun is finished. The cancel flag and the deadline are
  // looked at before each tile, so a tile should take well under a millisecond.
  // Returns OK when all tiles are complete.
  absl::Status Phase(int64_t num_tiles,
                     absl::FunctionRef<void(int64_t tile, int worker)> task);

  // As Phase, on the calling thread: for work too small to share out.
  absl::Status SerialPhase(absl::FunctionRef<void()> task);

 private:
  friend class CpuStream;
  void BeginPass(const PassControl& control, bool resume);
  // True if the op about to be issued was complete before the pass stopped.
  // Counts the op.
  bool SkipOp();
  void EndOp();
  bool IsCancelled() const;
  bool MustWait() const {
    return control_.turn != nullptr && control_.turn->must_wait();
  }

  // Why tiles are left over; the greater wins where several are true.
  enum class Stop : int { kNone, kPause, kDeadline, kCancel };
  // Runs tiles from num_complete_tiles_ on, and moves that.
  Stop RunTiles(int64_t num_tiles,
                absl::FunctionRef<void(int64_t tile, int worker)> task);
  // Returns kNone when nobody more urgent computes and the duty cycle lets
  // computing go on.
  Stop SleepThroughPause();

  Executor& executor_;
  PassControl control_;
  // A run of a pass finishes at least one tile, so that any deadline, however
  // short, ends in the end.
  bool has_progress_ = false;
  int64_t op_ = 0;                  // ops issued in this run of the pass
  int64_t num_complete_ops_ = 0;    // of the pass
  int phase_ = 0;                   // phases issued in this op
  int num_complete_phases_ = 0;     // of the op that stopped
  int64_t num_complete_tiles_ = 0;  // of the phase that stopped
};

// Scratch memory of one stream, sized once by StreamLimits.
struct Scratch {
  Block quantized;   // activations of a linear layer, int8 with scales and sums
  Block per_worker;  // num_workers slices of bytes_per_worker
  size_t bytes_per_worker = 0;
  Block head;       // candidates and partial results of the head's chunks
  Block attention;  // num_workers slices of attention_bytes_per_worker
  Block attention_states;  // of each row and head, between phases
  size_t attention_bytes_per_worker = 0;

  uint8_t* worker(int index) const {
    return per_worker.data() + static_cast<size_t>(index) * bytes_per_worker;
  }
  uint8_t* attention_worker(int index) const {
    return attention.data() +
           static_cast<size_t>(index) * attention_bytes_per_worker;
  }
};

class CpuStream final : public Stream {
 public:
  CpuStream(Isa isa, Executor& executor, Scratch scratch);

  void Begin(const PassControl& control, bool resume) override;
  absl::Status CopyIn(absl::Span<const float> from, const Tensor& to) override;
  absl::Status CopyOut(const Tensor& from, absl::Span<float> to) override;
  absl::Status Embed(const EmbedArgs& args) override;
  absl::Status RmsNorm(const RmsNormArgs& args) override;
  absl::Status LayerNorm(const LayerNormArgs& args) override;
  absl::Status Unfold(const UnfoldArgs& args) override;
  absl::Status Linear(const LinearArgs& args) override;
  absl::Status RopeAndStore(const RopeAndStoreArgs& args) override;
  absl::Status TreeAttention(const TreeAttentionArgs& args) override;
  absl::Status AttentionWeights(const AttentionWeightsArgs& args) override;
  absl::Status GatedActivation(const GatedActivationArgs& args) override;
  absl::Status Add(const AddArgs& args) override;
  absl::Status GatherRows(const GatherRowsArgs& args) override;
  absl::Status MoveCacheSlots(const MoveCacheSlotsArgs& args) override;
  absl::Status Head(const HeadArgs& args) override;
  absl::Status Wait() override;

 private:
  // Runs `op` unless it was complete before the pass stopped, or the pass has
  // stopped.
  absl::Status Issue(absl::FunctionRef<absl::Status()> op);

  const Isa isa_;
  TileRunner tiles_;
  Scratch scratch_;
  absl::Status status_;  // why this run of the pass has stopped
};

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_CPU_STREAM_H_
