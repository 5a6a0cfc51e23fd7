// specinfer_session's answers: start, step, and both in a loop with a callback.
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/api/arguments.h"
#include "src/api/generation_config.h"
#include "src/api/session_handle.h"
#include "src/api/sized_struct.h"
#include "src/session/generation.h"
#include "src/session/session.h"

namespace specinfer {
namespace {

constexpr SizedStruct kEvent = {
    "specinfer_event", "out_event", "SPECINFER_EVENT_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_event, num_prompt_tokens)};

absl::StatusOr<GenerationOptions> ReadConfig(
    const specinfer_session& handle,
    const specinfer_generation_config* config) {
  return ReadGenerationConfig(
      config, handle.session->model().architecture().vocabulary_size);
}

// Copies an event's tokens into arrays of the C types, which the handle keeps
// until its next call.
void KeepTokens(absl::Span<const GeneratedToken> tokens,
                specinfer_session& handle) {
  size_t num_alternatives = 0;
  for (const GeneratedToken& token : tokens)
    num_alternatives += token.alternatives.size();
  handle.event_tokens.clear();
  handle.event_alternatives.clear();
  handle.event_alternatives.reserve(
      num_alternatives);  // so that the pointers below stay good
  for (const GeneratedToken& token : tokens) {
    const size_t first = handle.event_alternatives.size();
    for (const TokenLogProbability& alternative : token.alternatives) {
      handle.event_alternatives.push_back(
          {alternative.token, alternative.log_probability});
    }
    const size_t count = token.alternatives.size();
    const specinfer_alternative* alternatives =
        count == 0 ? nullptr : handle.event_alternatives.data() + first;
    handle.event_tokens.push_back(
        {token.token, token.log_probability, alternatives, count});
  }
}

specinfer_event ToC(const Event& event, specinfer_session& handle) {
  KeepTokens(event.tokens, handle);
  specinfer_event to = SPECINFER_EVENT_INIT;
  to.state = static_cast<int32_t>(event.state);
  to.finish = static_cast<int32_t>(event.finish);
  to.token_size = sizeof(specinfer_generated_token);
  to.text = event.text.data();
  to.text_length = event.text.size();
  to.tokens = handle.event_tokens.data();
  to.num_tokens = handle.event_tokens.size();
  to.num_prefilled_tokens = static_cast<uint32_t>(event.num_prefilled_tokens);
  to.num_prompt_tokens = static_cast<uint32_t>(event.num_prompt_tokens);
  return to;
}

// Ends the answer where it is and tells the callback so with a last, empty
// event.
void EndByCallback(specinfer_session& handle, specinfer_event_callback callback,
                   void* user_data, const specinfer_event& last) {
  handle.session->Cancel();
  handle.session->Step(/*max_us=*/0).status().IgnoreError();
  specinfer_event end = SPECINFER_EVENT_INIT;
  end.state = SPECINFER_STEP_DONE;
  end.finish = SPECINFER_FINISH_CALLBACK;
  end.token_size = sizeof(specinfer_generated_token);
  end.num_prefilled_tokens = last.num_prefilled_tokens;
  end.num_prompt_tokens = last.num_prompt_tokens;
  callback(user_data, &end);
}

// A callback may have destroyed the session: what it holds goes with this call.
absl::Status CheckAlive(const specinfer_session& handle) {
  if (!handle.is_destroyed()) return absl::OkStatus();
  return absl::CancelledError("the session was destroyed by its own callback");
}

absl::Status StepUntilDone(specinfer_session& handle,
                           specinfer_event_callback callback, void* user_data) {
  while (true) {
    SPECINFER_ASSIGN_OR_RETURN(const Event event,
                               handle.session->Step(/*max_us=*/0));
    SPECINFER_RETURN_IF_ERROR(CheckAlive(handle));
    const bool is_done = event.state == StepState::kDone;
    if (callback != nullptr) {
      const specinfer_event shown = ToC(event, handle);
      const bool is_stopped = callback(user_data, &shown) != 0;
      SPECINFER_RETURN_IF_ERROR(CheckAlive(handle));
      if (is_stopped && !is_done) {
        EndByCallback(handle, callback, user_data, shown);
        return absl::OkStatus();
      }
    }
    if (is_done) return absl::OkStatus();
  }
}

}  // namespace
}  // namespace specinfer

using specinfer::SessionEdge;

extern "C" {

specinfer_status specinfer_session_start(
    specinfer_session* session, const specinfer_generation_config* config) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::GenerationOptions options,
                               specinfer::ReadConfig(handle, config));
    return handle.session->Start(options);
  });
}

specinfer_status specinfer_session_regenerate(
    specinfer_session* session, const specinfer_generation_config* config) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::GenerationOptions options,
                               specinfer::ReadConfig(handle, config));
    return handle.session->Regenerate(options);
  });
}

specinfer_status specinfer_session_step(specinfer_session* session,
                                        uint64_t max_microseconds,
                                        specinfer_event* out_event) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckSizedOutput(out_event, specinfer::kEvent));
    constexpr uint64_t kMaxStepMicros =
        uint64_t{1} << 50;  // 35 years; safe to add to a clock
    const int64_t max_us =
        static_cast<int64_t>(std::min(max_microseconds, kMaxStepMicros));
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::Event event,
                               handle.session->Step(max_us));
    SPECINFER_RETURN_IF_ERROR(specinfer::CheckAlive(handle));
    specinfer::WriteSizedStruct(specinfer::ToC(event, handle), out_event);
    return absl::OkStatus();
  });
}

specinfer_status specinfer_session_generate(
    specinfer_session* session, const specinfer_generation_config* config,
    specinfer_event_callback callback, void* user_data) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::GenerationOptions options,
                               specinfer::ReadConfig(handle, config));
    SPECINFER_RETURN_IF_ERROR(handle.session->Start(options));
    return specinfer::StepUntilDone(handle, callback, user_data);
  });
}

}  // extern "C"
