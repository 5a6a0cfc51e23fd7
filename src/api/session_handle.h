// What stands behind specinfer_session: the session, whether a call is inside
// it, and the memory of its last event.
#ifndef SPECINFER_SRC_API_SESSION_HANDLE_H_
#define SPECINFER_SRC_API_SESSION_HANDLE_H_

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "include/specinfer.h"
#include "src/api/arguments.h"
#include "src/api/edge.h"
#include "src/base/float_control.h"
#include "src/base/status_macros.h"
#include "src/session/session.h"

// One call at a time. A second caller, or a callback of the first, is refused.
// A session that is destroyed while a call is inside (by its own callback)
// lives until that call ends.
struct specinfer_session {
 public:
  explicit specinfer_session(std::unique_ptr<specinfer::Session> content)
      : session(std::move(content)) {}

  absl::Status Enter() {
    State idle = State::kIdle;
    if (state_.compare_exchange_strong(idle, State::kBusy,
                                       std::memory_order_acquire))
      return absl::OkStatus();
    return absl::FailedPreconditionError(
        "the session is in use by another call, on another thread or around "
        "this callback; wait until that returns");
  }

  // May delete the session.
  void Leave() {
    State busy = State::kBusy;
    if (!state_.compare_exchange_strong(busy, State::kIdle,
                                        std::memory_order_acq_rel))
      delete this;
  }

  void Destroy() {
    if (state_.load(std::memory_order_acquire) != State::kIdle)
      session->Cancel();
    if (state_.exchange(State::kDestroyed, std::memory_order_acq_rel) ==
        State::kIdle)
      delete this;
  }

  bool is_destroyed() const {
    return state_.load(std::memory_order_acquire) == State::kDestroyed;
  }

  const std::unique_ptr<specinfer::Session> session;
  std::vector<specinfer_generated_token> event_tokens;
  std::vector<specinfer_alternative> event_alternatives;

 private:
  enum class State : int { kIdle, kBusy, kDestroyed };
  std::atomic<State> state_{State::kIdle};
};

namespace specinfer {

// Runs body(specinfer_session&), which returns an absl::Status, as the
// session's only call.
template <typename Body>
specinfer_status SessionEdge(specinfer_session* handle, Body&& body) noexcept {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(handle, "session"));
    SPECINFER_RETURN_IF_ERROR(handle->Enter());
    struct Leave {
      specinfer_session* handle;
      ~Leave() { handle->Leave(); }
    } const leave{handle};
    const ScopedFloatControl float_control;
    return std::forward<Body>(body)(*handle);
  });
}

}  // namespace specinfer

#endif  // SPECINFER_SRC_API_SESSION_HANDLE_H_
