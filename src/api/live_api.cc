// specinfer_transcriber: speech as it is spoken.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "include/specinfer/live_speech.h"
#include "src/api/sized_struct.h"
#include "src/api/transcriber_handle.h"
#include "src/base/clock.h"

namespace specinfer {
namespace {

constexpr SizedStruct kLiveConfig = {
    "specinfer_live_config", "live_config", "SPECINFER_LIVE_CONFIG_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_live_config, backlog_seconds)};
constexpr SizedStruct kEvent = {
    "specinfer_speech_event", "out_event", "SPECINFER_SPEECH_EVENT_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_speech_event, reserved)};

absl::Status ReadSeconds(double given, const char* field, double most,
                         double* seconds) {
  if (!(given >= 0.0 && given <= most)) {
    return absl::InvalidArgumentError(
        absl::StrCat("live_config->", field, " is ", given,
                     "; give seconds from 0 to ", most));
  }
  if (given > 0.0) *seconds = given;
  return absl::OkStatus();
}

absl::StatusOr<LiveOptions> ReadLiveOptions(
    const specinfer_transcription_config* config,
    const specinfer_live_config* live_config) {
  SPECINFER_ASSIGN_OR_RETURN(TranscriptionOptions common, ReadOptions(config));
  specinfer_live_config known = SPECINFER_LIVE_CONFIG_INIT;
  if (live_config != nullptr)
    SPECINFER_RETURN_IF_ERROR(
        ReadSizedStruct(live_config, kLiveConfig, &known));
  LiveOptions options;
  options.sound.format = common.format;
  options.text.language = std::move(common.language);
  options.text.task = common.task;
  options.text.initial_prompt = std::move(common.initial_prompt);
  options.text.hotwords = std::move(common.hotwords);
  options.text.hotword_bias = common.hotword_bias;
  options.text.best_of = common.best_of;
  options.text.seed = common.seed;
  if (common.strategy != Strategy::kAuto)
    options.text.strategy = common.strategy;
  options.text.has_word_times = common.has_word_times;
  if (known.partial_seconds < 0.0) {
    options.partial_seconds = 0.0;
  } else {
    SPECINFER_RETURN_IF_ERROR(ReadSeconds(known.partial_seconds,
                                          "partial_seconds", 30.0,
                                          &options.partial_seconds));
  }
  SPECINFER_RETURN_IF_ERROR(
      ReadSeconds(known.endpoint_seconds, "endpoint_seconds", 10.0,
                  &options.sound.segmenter.endpoint_seconds));
  SPECINFER_RETURN_IF_ERROR(ReadSeconds(known.backlog_seconds,
                                        "backlog_seconds", 3600.0,
                                        &options.sound.max_backlog_seconds));
  return options;
}

absl::Status CheckListens(const specinfer_transcriber* handle) {
  if (handle->live != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "the transcriber does not listen; call specinfer_transcriber_listen");
}

// Runs body(AudioInput&) beside whatever else the transcriber does.
template <typename Body>
specinfer_status InputEdge(specinfer_transcriber* handle,
                           Body&& body) noexcept {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(handle, "transcriber"));
    SPECINFER_RETURN_IF_ERROR(CheckListens(handle));
    return std::forward<Body>(body)(handle->live->input());
  });
}

int32_t KindOf(LiveEvent::Kind kind) {
  switch (kind) {
    case LiveEvent::Kind::kNothing:
      return SPECINFER_SPEECH_NOTHING;
    case LiveEvent::Kind::kSpeechBegin:
      return SPECINFER_SPEECH_BEGIN;
    case LiveEvent::Kind::kPartial:
      return SPECINFER_SPEECH_PARTIAL;
    case LiveEvent::Kind::kFinal:
      return SPECINFER_SPEECH_FINAL;
    case LiveEvent::Kind::kSpeechEnd:
      return SPECINFER_SPEECH_END;
    case LiveEvent::Kind::kEnd:
      return SPECINFER_SPEECH_DONE;
  }
  return SPECINFER_SPEECH_NOTHING;
}

absl::Status Listen(specinfer_transcriber& handle,
                    const specinfer_transcription_config* config,
                    const specinfer_live_config* live_config) {
  if (handle.live != nullptr) {
    return absl::FailedPreconditionError(
        "the transcriber listens already; call specinfer_transcriber_stop");
  }
  SPECINFER_ASSIGN_OR_RETURN(LiveOptions options,
                             ReadLiveOptions(config, live_config));
  options.sound.voice = handle.voice;
  SPECINFER_ASSIGN_OR_RETURN(
      handle.live,
      LiveTranscriber::Create(handle.transcriber->decoder(), options));
  handle.num_live_channels =
      static_cast<size_t>(options.sound.format.num_channels);
  handle.last = {};
  return absl::OkStatus();
}

absl::Status Step(specinfer_transcriber& handle, uint64_t max_microseconds,
                  specinfer_speech_event* out_event) {
  SPECINFER_RETURN_IF_ERROR(CheckListens(&handle));
  SPECINFER_RETURN_IF_ERROR(CheckSizedOutput(out_event, kEvent));
  specinfer_speech_event to = SPECINFER_SPEECH_EVENT_INIT;
  PassControl control = handle.transcriber->BeginWork(Urgency::kHighest);
  if (max_microseconds > 0)
    control.deadline_us = NowMicros() + static_cast<int64_t>(std::min<uint64_t>(
                                            max_microseconds, INT64_MAX / 2));
  LiveEvent event;
  const absl::Status status = handle.live->Step(control, &event);
  if (absl::IsDeadlineExceeded(status)) {
    to.kind = SPECINFER_SPEECH_WORKING;
    WriteSizedStruct(to, out_event);
    return absl::OkStatus();
  }
  SPECINFER_RETURN_IF_ERROR(status);
  to.kind = KindOf(event.kind);
  to.start = event.segment.start;
  to.end = event.segment.end;
  to.stable_length = event.stable_length;
  to.encode_seconds = static_cast<double>(event.times.encode_us) * 1e-6;
  to.decode_seconds = static_cast<double>(event.times.decode_us) * 1e-6;
  to.num_tokens = static_cast<uint32_t>(event.times.num_tokens);
  to.num_passes = static_cast<uint32_t>(event.times.num_rounds);
  handle.last.segments.clear();
  if (event.kind == LiveEvent::Kind::kPartial ||
      event.kind == LiveEvent::Kind::kFinal) {
    const Segment& segment =
        handle.last.segments.emplace_back(std::move(event.segment));
    to.text = segment.text.data();
    to.text_length = segment.text.size();
    to.num_words = static_cast<uint32_t>(segment.words.size());
  }
  WriteSizedStruct(to, out_event);
  return absl::OkStatus();
}

}  // namespace
}  // namespace specinfer

extern "C" {

specinfer_status specinfer_transcriber_listen(
    specinfer_transcriber* transcriber,
    const specinfer_transcription_config* config,
    const specinfer_live_config* live_config) {
  return specinfer::TranscriberEdge(
      transcriber, [&](specinfer_transcriber& handle) {
        return specinfer::Listen(handle, config, live_config);
      });
}

specinfer_status specinfer_transcriber_push(specinfer_transcriber* transcriber,
                                            const float* samples,
                                            size_t num_samples,
                                            size_t* out_num_taken) {
  return specinfer::InputEdge(
      transcriber, [&](specinfer::AudioInput& input) -> absl::Status {
        SPECINFER_RETURN_IF_ERROR(
            specinfer::CheckArray(samples, num_samples, "samples"));
        SPECINFER_RETURN_IF_ERROR(
            specinfer::CheckPointer(out_num_taken, "out_num_taken"));
        if (num_samples % transcriber->num_live_channels != 0) {
          return absl::InvalidArgumentError(
              absl::StrCat(num_samples, " samples are no multiple of ",
                           transcriber->num_live_channels, " channels"));
        }
        *out_num_taken = input.Push({samples, num_samples});
        return absl::OkStatus();
      });
}

specinfer_status specinfer_transcriber_finish(
    specinfer_transcriber* transcriber) {
  return specinfer::InputEdge(transcriber, [](specinfer::AudioInput& input) {
    input.Finish();
    return absl::OkStatus();
  });
}

specinfer_status specinfer_transcriber_pause(
    specinfer_transcriber* transcriber) {
  return specinfer::InputEdge(transcriber, [](specinfer::AudioInput& input) {
    input.Pause();
    return absl::OkStatus();
  });
}

specinfer_status specinfer_transcriber_resume(
    specinfer_transcriber* transcriber) {
  return specinfer::InputEdge(transcriber, [](specinfer::AudioInput& input) {
    input.Resume();
    return absl::OkStatus();
  });
}

specinfer_status specinfer_transcriber_step(specinfer_transcriber* transcriber,
                                            uint64_t max_microseconds,
                                            specinfer_speech_event* out_event) {
  return specinfer::TranscriberEdge(
      transcriber, [&](specinfer_transcriber& handle) {
        return specinfer::Step(handle, max_microseconds, out_event);
      });
}

specinfer_status specinfer_transcriber_stop(
    specinfer_transcriber* transcriber) {
  return specinfer::TranscriberEdge(transcriber,
                                    [](specinfer_transcriber& handle) {
                                      handle.live.reset();
                                      handle.last = {};
                                      return absl::OkStatus();
                                    });
}

}  // extern "C"
