// What a device offers: memory, packed weights and streams of ops.
#ifndef SPECINFER_SRC_BACKEND_BACKEND_H_
#define SPECINFER_SRC_BACKEND_BACKEND_H_

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/backend/stream.h"
#include "src/backend/tensor.h"

namespace specinfer {

// A weight matrix [outputs, inputs] in the backend's own layout. Immutable;
// used by any number of streams at once.
class Weight {
 public:
  virtual ~Weight() = default;
  DType dtype = DType::kF32;  // as packed
  int64_t outputs = 0;
  int64_t inputs = 0;
  size_t packed_bytes = 0;
  // What a packed file keeps; empty where the host cannot see it.
  virtual absl::Span<const uint8_t> bytes() const = 0;
};

// Packed weights of one name and version are the same bytes on every machine.
struct PackedFamily {
  std::string_view name;  // "cpu-16x32"; empty: not kept in files
  uint32_t version = 0;
};

// A matrix as a model file holds it: `outputs` rows of `inputs` elements of
// `dtype`.
struct WeightSource {
  DType dtype = DType::kF32;
  int64_t outputs = 0;
  int64_t inputs = 0;
  absl::Span<const uint8_t> bytes;
  std::string_view name;  // for messages: "blk.3.attn_q.weight"
  // Where it differs from `dtype`, packing quantises the matrix again, from any
  // type: to kQ4_0, or to kQ8_K, whose rows may have any length. Otherwise
  // packing changes no value.
  DType packed_as = dtype;
};

// The widest shapes a stream will see; its scratch memory is made for them
// once.
struct StreamLimits {
  int64_t max_rows = 1;    // of any op
  int64_t max_inputs = 0;  // of any linear layer
  int64_t max_vocabulary = 0;
  int64_t max_heads = 0;
  int64_t max_head_dim = 0;
};

// What bounds every pass, measured: no pass reads faster than this or
// multiplies faster than this.
struct MachineRates {
  double read_bytes_per_second = 0.0;      // 0: there was nothing to read
  double int8_products_per_second = 0.0;   // of quantised linear layers
  double float_products_per_second = 0.0;  // fused multiply-adds
};

// What a pass over some rows takes, in parts of a pass over one.
struct PassRatio {
  int32_t rows;
  double ratio;
};

// Thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string_view name()
      const = 0;  // "cpu-avx512", shown in statistics

  // Zeroed memory. `what` names it in errors.
  // Errors: RESOURCE_EXHAUSTED.
  virtual absl::StatusOr<std::unique_ptr<Buffer>> Allocate(
      size_t num_bytes, std::string_view what) = 0;
  // Address space that is charged to the budget by Commit as it is used.
  virtual absl::StatusOr<std::unique_ptr<Buffer>> Reserve(
      size_t num_bytes, std::string_view what) = 0;
  virtual absl::Status Commit(Buffer& reserved, size_t num_bytes) = 0;

  // Copies a matrix into this backend's layout, in parallel. The source is not
  // needed afterwards.
  // Errors: UNIMPLEMENTED naming the tensor and its type, or what it is to be
  // packed as; INVALID_ARGUMENT for a shape or size that does not fit;
  // RESOURCE_EXHAUSTED.
  virtual absl::StatusOr<std::unique_ptr<Weight>> Pack(
      const WeightSource& source) = 0;
  // What Pack will take for a matrix packed as `dtype`, for planning; 0 when it
  // cannot.
  virtual size_t PackedBytes(DType dtype, int64_t outputs,
                             int64_t inputs) const = 0;

  // What Pack makes and Adopt takes.
  virtual PackedFamily packed_family() const = 0;
  // A matrix whose `bytes` Pack made, as Weight::bytes gave them. They stay
  // where they are, aligned to 64, and must outlive it; their values may be
  // anything.
  // Errors: UNIMPLEMENTED; INVALID_ARGUMENT for a shape or size that does not
  // fit.
  virtual absl::StatusOr<std::unique_ptr<Weight>> Adopt(
      const WeightSource& packed) = 0;
  // Memory of the host that nobody will write to, and that outlives the buffer.
  // Errors: UNIMPLEMENTED.
  virtual absl::StatusOr<std::unique_ptr<Buffer>> AdoptBuffer(
      absl::Span<const uint8_t> bytes) = 0;

  virtual absl::StatusOr<std::unique_ptr<Stream>> CreateStream(
      const StreamLimits& limits) = 0;
  // What CreateStream will take, for planning.
  virtual size_t StreamBytes(const StreamLimits& limits) const = 0;

  // What is believed of passes until they are timed, of a model that no cache
  // holds: ascending rows from {1, 1}, the same rows for every backend.
  virtual absl::Span<const PassRatio> typical_pass_ratios() const = 0;

  // Reads `weights` front to back, as a pass does, then multiplies in registers
  // alone with the fastest instructions that this backend's kernels use. All
  // workers take part; takes about as long as a pass of one row, at least some
  // 10 ms. Rates wander with the machine's other load: measure next to what
  // they bound.
  virtual absl::StatusOr<MachineRates> Measure(
      absl::Span<const Weight* const> weights) = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_BACKEND_BACKEND_H_
