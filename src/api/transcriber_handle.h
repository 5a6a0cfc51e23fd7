// What a specinfer_transcriber is.
#ifndef SPECINFER_SRC_API_TRANSCRIBER_HANDLE_H_
#define SPECINFER_SRC_API_TRANSCRIBER_HANDLE_H_

#include <atomic>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "include/specinfer/speech.h"
#include "src/api/arguments.h"
#include "src/api/edge.h"
#include "src/base/float_control.h"
#include "src/base/status_macros.h"
#include "src/speech/live_transcriber.h"
#include "src/speech/transcriber.h"
#include "src/speech/voice_network.h"

struct specinfer_transcriber {
  std::unique_ptr<specinfer::Transcriber> transcriber;
  // The segments of the last recording, or that of the last event.
  specinfer::Transcription last;
  std::shared_ptr<const specinfer::VoiceNetwork> voice;  // may be null
  // Not null: it listens. Uses the transcriber's decoder.
  std::unique_ptr<specinfer::LiveTranscriber> live;
  size_t num_live_channels = 1;
  std::atomic<bool> is_busy{false};
};

namespace specinfer {

// Runs body(specinfer_transcriber&) as the transcriber's only call.
template <typename Body>
specinfer_status TranscriberEdge(specinfer_transcriber* handle,
                                 Body&& body) noexcept {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(handle, "transcriber"));
    if (handle->is_busy.exchange(true, std::memory_order_acquire)) {
      return absl::FailedPreconditionError(
          "the transcriber is in use by another call, on another thread or "
          "around this callback; wait until that returns");
    }
    struct Leave {
      specinfer_transcriber* handle;
      ~Leave() { handle->is_busy.store(false, std::memory_order_release); }
    } const leave{handle};
    const ScopedFloatControl float_control;
    return std::forward<Body>(body)(*handle);
  });
}

// Of config->… and of what it says: in transcriber_api.cc. `config` may be
// NULL.
absl::StatusOr<TranscriptionOptions> ReadOptions(
    const specinfer_transcription_config* config);

}  // namespace specinfer

#endif  // SPECINFER_SRC_API_TRANSCRIBER_HANDLE_H_
