// An engine whose ops can be made to fail, one at a time.
#ifndef SPECINFER_TESTS_SESSION_FAULTY_BACKEND_H_
#define SPECINFER_TESTS_SESSION_FAULTY_BACKEND_H_

#include <memory>
#include <utility>

#include "src/backend/engine.h"
#include "src/base/status_macros.h"

namespace specinfer {

// Counts the ops of all streams; that of number `fails_at` (from 0) fails.
struct FaultPlan {
  long num_ops = 0;
  long fails_at = -1;

  absl::Status Next() {
    if (num_ops++ == fails_at) return absl::InternalError("injected");
    return absl::OkStatus();
  }
};

class FaultyStream : public Stream {
 public:
  FaultyStream(std::unique_ptr<Stream> stream, FaultPlan* plan)
      : stream_(std::move(stream)), plan_(plan) {}

  void Begin(const PassControl& control, bool resume) override {
    stream_->Begin(control, resume);
  }
#define SPECINFER_FORWARD_OP(op)                   \
  absl::Status op(const op##Args& args) override { \
    SPECINFER_RETURN_IF_ERROR(plan_->Next());      \
    return stream_->op(args);                      \
  }
  SPECINFER_FORWARD_OP(Embed)
  SPECINFER_FORWARD_OP(RmsNorm)
  SPECINFER_FORWARD_OP(LayerNorm)
  SPECINFER_FORWARD_OP(Unfold)
  SPECINFER_FORWARD_OP(Linear)
  SPECINFER_FORWARD_OP(RopeAndStore)
  SPECINFER_FORWARD_OP(TreeAttention)
  SPECINFER_FORWARD_OP(AttentionWeights)
  SPECINFER_FORWARD_OP(GatedActivation)
  SPECINFER_FORWARD_OP(Add)
  SPECINFER_FORWARD_OP(GatherRows)
  SPECINFER_FORWARD_OP(MoveCacheSlots)
  SPECINFER_FORWARD_OP(Head)
#undef SPECINFER_FORWARD_OP
  absl::Status CopyIn(absl::Span<const float> from, const Tensor& to) override {
    SPECINFER_RETURN_IF_ERROR(plan_->Next());
    return stream_->CopyIn(from, to);
  }
  absl::Status CopyOut(const Tensor& from, absl::Span<float> to) override {
    SPECINFER_RETURN_IF_ERROR(plan_->Next());
    return stream_->CopyOut(from, to);
  }
  absl::Status Wait() override {
    SPECINFER_RETURN_IF_ERROR(plan_->Next());
    return stream_->Wait();
  }

 private:
  std::unique_ptr<Stream> stream_;
  FaultPlan* plan_;
};

class FaultyBackend : public Backend {
 public:
  FaultyBackend(std::unique_ptr<Backend> backend, FaultPlan* plan)
      : backend_(std::move(backend)), plan_(plan) {}

  std::string_view name() const override { return backend_->name(); }
  absl::StatusOr<std::unique_ptr<Buffer>> Allocate(
      size_t num_bytes, std::string_view what) override {
    return backend_->Allocate(num_bytes, what);
  }
  absl::StatusOr<std::unique_ptr<Buffer>> Reserve(
      size_t num_bytes, std::string_view what) override {
    return backend_->Reserve(num_bytes, what);
  }
  absl::Status Commit(Buffer& reserved, size_t num_bytes) override {
    return backend_->Commit(reserved, num_bytes);
  }
  absl::StatusOr<std::unique_ptr<Weight>> Pack(
      const WeightSource& source) override {
    return backend_->Pack(source);
  }
  size_t PackedBytes(DType dtype, int64_t outputs,
                     int64_t inputs) const override {
    return backend_->PackedBytes(dtype, outputs, inputs);
  }
  PackedFamily packed_family() const override {
    return backend_->packed_family();
  }
  absl::StatusOr<std::unique_ptr<Weight>> Adopt(
      const WeightSource& packed) override {
    return backend_->Adopt(packed);
  }
  absl::StatusOr<std::unique_ptr<Buffer>> AdoptBuffer(
      absl::Span<const uint8_t> bytes) override {
    return backend_->AdoptBuffer(bytes);
  }
  absl::StatusOr<std::unique_ptr<Stream>> CreateStream(
      const StreamLimits& limits) override {
    SPECINFER_ASSIGN_OR_RETURN(std::unique_ptr<Stream> stream,
                               backend_->CreateStream(limits));
    return std::make_unique<FaultyStream>(std::move(stream), plan_);
  }
  size_t StreamBytes(const StreamLimits& limits) const override {
    return backend_->StreamBytes(limits);
  }
  absl::Span<const PassRatio> typical_pass_ratios() const override {
    return backend_->typical_pass_ratios();
  }
  absl::StatusOr<MachineRates> Measure(
      absl::Span<const Weight* const> weights) override {
    return backend_->Measure(weights);
  }

 private:
  std::unique_ptr<Backend> backend_;
  FaultPlan* plan_;
};

// `plan` must outlive the engine.
inline std::shared_ptr<const Engine> MakeFaultyEngine(FaultPlan* plan) {
  EngineOptions options;
  options.num_threads = 1;
  absl::StatusOr<std::unique_ptr<Engine>> engine =
      CreateEngine(std::move(options));
  if (!engine.ok()) return nullptr;
  (*engine)->backend =
      std::make_unique<FaultyBackend>(std::move((*engine)->backend), plan);
  return std::shared_ptr<const Engine>(*std::move(engine));
}

}  // namespace specinfer

#endif  // SPECINFER_TESTS_SESSION_FAULTY_BACKEND_H_
