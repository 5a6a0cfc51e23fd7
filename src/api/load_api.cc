// specinfer_load: a model being loaded on a thread of its own.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/api/arguments.h"
#include "src/api/edge.h"
#include "src/api/handles.h"
#include "src/api/model_config.h"

namespace specinfer {
namespace {

// Shared by the loading thread and the handle: whichever ends last frees it.
struct LoadState {
  std::shared_ptr<const Engine> engine;
  std::string path;
  ModelProgress host_progress;
  std::atomic<bool> is_cancelled{false};
  std::atomic<float> fraction{0.0f};

  std::mutex mutex;
  std::condition_variable done;
  bool is_done = false;  // guarded by mutex, as are the two below
  bool is_handed_over = false;
  absl::StatusOr<std::shared_ptr<const Model>> model = absl::UnknownError("");
};

absl::StatusOr<std::shared_ptr<const Model>> LoadModel(LoadState& state) {
  LoadOptions options = state.host_progress.Options();
  options.is_cancelled = &state.is_cancelled;
  options.progress = [&state](float fraction) {
    state.fraction.store(fraction, std::memory_order_relaxed);
    return state.host_progress.Report(fraction) &&
           !state.is_cancelled.load(std::memory_order_relaxed);
  };
  return Model::Load(state.engine, state.path, options);
}

void RunLoad(const std::shared_ptr<LoadState>& state) noexcept {
  absl::StatusOr<std::shared_ptr<const Model>> model =
      Caught([&] { return LoadModel(*state); },
             [](absl::StatusCode code, absl::string_view text)
                 -> absl::StatusOr<std::shared_ptr<const Model>> {
               return absl::Status(code, text);
             });
  // What the thread holds goes before anyone is told that it is done with the
  // engine.
  state->engine.reset();
  const std::lock_guard<std::mutex> lock(state->mutex);
  state->model = std::move(model);
  state->is_done = true;
  state->done.notify_all();
}

// 30 years: longer waits would overflow the clock.
constexpr uint64_t kMaxWaitMicros = uint64_t{1} << 50;

// OK once the model, or the reason why there is none, is in `state`.
absl::Status WaitUntilDone(LoadState& state, std::unique_lock<std::mutex>& lock,
                           uint64_t max_us) {
  const auto time = std::chrono::microseconds(std::min(max_us, kMaxWaitMicros));
  if (state.done.wait_for(lock, time, [&] { return state.is_done; }))
    return absl::OkStatus();
  return absl::DeadlineExceededError(
      "the model is still being loaded; wait again");
}

}  // namespace
}  // namespace specinfer

struct specinfer_load {
  std::shared_ptr<specinfer::LoadState> state;
  std::thread thread;

  ~specinfer_load() {
    if (!thread.joinable()) return;
    state->is_cancelled.store(true);
    // From its own progress function the load cannot be waited for; the thread
    // then ends alone.
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
};

using specinfer::CheckPointer;
using specinfer::Edge;

extern "C" {

specinfer_status specinfer_load_start(const specinfer_engine* engine,
                                      const char* path, size_t path_length,
                                      const specinfer_model_config* config,
                                      specinfer_load** out_load) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(engine, "engine"));
    SPECINFER_RETURN_IF_ERROR(CheckPointer(out_load, "out_load"));
    auto load = std::make_unique<specinfer_load>();
    load->state = std::make_shared<specinfer::LoadState>();
    load->state->engine = engine->engine;
    SPECINFER_ASSIGN_OR_RETURN(load->state->path,
                               specinfer::ReadPath(path, path_length));
    SPECINFER_ASSIGN_OR_RETURN(load->state->host_progress,
                               specinfer::ReadModelConfig(config));
    load->thread = std::thread(&specinfer::RunLoad, load->state);
    *out_load = load.release();
    return absl::OkStatus();
  });
}

specinfer_status specinfer_load_wait(specinfer_load* load,
                                     uint64_t max_microseconds,
                                     float* out_fraction,
                                     specinfer_model** out_model) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(load, "load"));
    SPECINFER_RETURN_IF_ERROR(CheckPointer(out_model, "out_model"));
    specinfer::LoadState& state = *load->state;
    auto handle = std::make_unique<specinfer_model>();
    std::unique_lock<std::mutex> lock(state.mutex);
    const absl::Status waited =
        specinfer::WaitUntilDone(state, lock, max_microseconds);
    if (out_fraction != nullptr)
      *out_fraction = state.fraction.load(std::memory_order_relaxed);
    SPECINFER_RETURN_IF_ERROR(waited);
    if (state.is_handed_over) {
      return absl::FailedPreconditionError(
          "this load has handed its model over already; destroy it");
    }
    SPECINFER_RETURN_IF_ERROR(state.model.status());
    handle->model = *std::move(state.model);
    state.is_handed_over = true;
    if (out_fraction != nullptr) *out_fraction = 1.0f;
    *out_model = handle.release();
    return absl::OkStatus();
  });
}

void specinfer_load_cancel(specinfer_load* load) {
  if (load != nullptr) load->state->is_cancelled.store(true);
}

void specinfer_load_destroy(specinfer_load* load) { delete load; }

}  // extern "C"
