// specinfer_transcriber: recordings to text.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "include/specinfer/speech.h"
#include "src/api/arguments.h"
#include "src/api/edge.h"
#include "src/api/generation_config.h"
#include "src/api/handles.h"
#include "src/api/model_config.h"
#include "src/api/sized_struct.h"
#include "src/api/transcriber_handle.h"
#include "src/base/status_macros.h"
#include "src/speech/transcriber.h"
#include "src/speech/voice_network.h"

namespace specinfer {
namespace {

constexpr SizedStruct kConfig = {
    "specinfer_transcription_config", "config",
    "SPECINFER_TRANSCRIPTION_CONFIG_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_transcription_config, progress_user_data)};
constexpr SizedStruct kTranscription = {
    "specinfer_transcription", "out_transcription",
    "SPECINFER_TRANSCRIPTION_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_transcription, reserved)};
constexpr SizedStruct kSegment = {
    "specinfer_segment", "out_segment", "SPECINFER_SEGMENT_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_segment, compression_ratio)};
constexpr SizedStruct kWord = {
    "specinfer_word", "out_word", "SPECINFER_WORD_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_word, text_length)};
constexpr float kMaxHotwordBias = 20.0f;
constexpr uint32_t kMaxBestOf = 64;
constexpr uint32_t kFlags =
    SPECINFER_TRANSCRIBE_TRANSLATE | SPECINFER_TRANSCRIBE_WITHOUT_TIMESTAMPS |
    SPECINFER_TRANSCRIBE_USE_PREVIOUS_TEXT | SPECINFER_TRANSCRIBE_WORDS;

// What chooses among texts.
absl::Status ReadChoice(const specinfer_transcription_config& config,
                        TranscriptionOptions* options) {
  if (!(config.hotword_bias >= 0.0f && config.hotword_bias <= kMaxHotwordBias))
    return absl::InvalidArgumentError(
        absl::StrCat("config->hotword_bias is ", config.hotword_bias,
                     "; give logits from 0 to ", kMaxHotwordBias));
  if (config.best_of > kMaxBestOf)
    return absl::InvalidArgumentError(absl::StrCat(
        "config->best_of is ", config.best_of, "; give at most ", kMaxBestOf));
  options->hotword_bias = config.hotword_bias;
  if (config.best_of != 0)
    options->best_of = static_cast<int32_t>(config.best_of);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TranscriptionOptions> ReadOptions(
    const specinfer_transcription_config* config) {
  specinfer_transcription_config known = SPECINFER_TRANSCRIPTION_CONFIG_INIT;
  if (config != nullptr)
    SPECINFER_RETURN_IF_ERROR(ReadSizedStruct(config, kConfig, &known));
  SPECINFER_RETURN_IF_ERROR(CheckFlags(known.flags, kFlags));
  if (known.sample_rate > INT32_MAX || known.num_channels > INT32_MAX)
    return absl::InvalidArgumentError(
        "config->sample_rate or config->num_channels is no such number");
  TranscriptionOptions options;
  SPECINFER_RETURN_IF_ERROR(ReadChoice(known, &options));
  SPECINFER_ASSIGN_OR_RETURN(options.urgency, ReadUrgency(known.urgency));
  if (known.sample_rate != 0)
    options.format.sample_rate = static_cast<int>(known.sample_rate);
  if (known.num_channels != 0)
    options.format.num_channels = static_cast<int>(known.num_channels);
  const auto read = [](const char* text, size_t length, const char* parameter,
                       std::string* out) -> absl::Status {
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view view,
                               ReadText(text, length, parameter));
    out->assign(view.data(), view.size());
    return absl::OkStatus();
  };
  SPECINFER_RETURN_IF_ERROR(read(known.language, known.language_length,
                                 "config->language", &options.language));
  SPECINFER_RETURN_IF_ERROR(
      read(known.initial_prompt, known.initial_prompt_length,
           "config->initial_prompt", &options.initial_prompt));
  SPECINFER_RETURN_IF_ERROR(read(known.hotwords, known.hotwords_length,
                                 "config->hotwords", &options.hotwords));
  if ((known.flags & SPECINFER_TRANSCRIBE_TRANSLATE) != 0)
    options.task = SpeechTask::kTranslate;
  options.has_timestamps =
      (known.flags & SPECINFER_TRANSCRIBE_WITHOUT_TIMESTAMPS) == 0;
  options.uses_previous_text =
      (known.flags & SPECINFER_TRANSCRIBE_USE_PREVIOUS_TEXT) != 0;
  options.has_word_times = (known.flags & SPECINFER_TRANSCRIBE_WORDS) != 0;
  SPECINFER_ASSIGN_OR_RETURN(options.strategy, ReadStrategy(known.strategy));
  if (known.seed != 0) options.seed = known.seed;
  if (known.progress != nullptr) {
    options.progress = [progress = known.progress,
                        user_data = known.progress_user_data](float fraction) {
      return progress(user_data, fraction) == 0;
    };
  }
  return options;
}

namespace {

absl::Status ListensError() {
  return absl::FailedPreconditionError(
      "the transcriber listens; call specinfer_transcriber_stop");
}

// An empty path: none.
absl::Status UseVoiceActivity(specinfer_transcriber& handle,
                              const std::string& path) {
  std::shared_ptr<const VoiceNetwork> voice;
  if (!path.empty()) {
    const Engine& engine = handle.transcriber->model().engine();
    SPECINFER_ASSIGN_OR_RETURN(
        VoiceNetwork network,
        VoiceNetwork::Load(path, engine.file_reader, *engine.memory));
    voice = std::make_shared<const VoiceNetwork>(std::move(network));
  }
  SPECINFER_RETURN_IF_ERROR(handle.transcriber->UseVoiceActivity(voice));
  handle.voice = std::move(voice);
  return absl::OkStatus();
}

specinfer_transcription ToC(const Transcription& from) {
  specinfer_transcription to = SPECINFER_TRANSCRIPTION_INIT;
  to.num_segments = static_cast<uint32_t>(from.segments.size());
  to.audio_seconds = from.audio_seconds;
  to.encode_seconds = static_cast<double>(from.times.encode_us) * 1e-6;
  to.decode_seconds = static_cast<double>(from.times.decode_us) * 1e-6;
  to.language = from.language == nullptr ? "en" : from.language->code.data();
  to.language_probability = from.language_probability;
  to.num_tokens = static_cast<uint32_t>(from.times.num_tokens);
  to.num_passes = static_cast<uint32_t>(from.times.num_rounds);
  to.speech_seconds = from.speech_seconds;
  return to;
}

specinfer_segment ToC(const Segment& from) {
  specinfer_segment to = SPECINFER_SEGMENT_INIT;
  to.num_tokens = static_cast<uint32_t>(from.tokens.size());
  to.start = from.start;
  to.end = from.end;
  to.text = from.text.data();
  to.text_length = from.text.size();
  to.tokens = from.tokens.data();
  to.temperature = from.temperature;
  to.average_log_probability = from.average_log_probability;
  to.no_speech_probability = from.no_speech_probability;
  to.compression_ratio = from.compression_ratio;
  to.num_words = static_cast<uint32_t>(from.words.size());
  return to;
}

specinfer_word ToC(const SpokenWord& from) {
  specinfer_word to = SPECINFER_WORD_INIT;
  to.probability = from.probability;
  to.start = from.start;
  to.end = from.end;
  to.text = from.text.data();
  to.text_length = from.text.size();
  return to;
}

absl::StatusOr<const Segment*> FindSegment(const specinfer_transcriber& handle,
                                           size_t index) {
  const std::vector<Segment>& segments = handle.last.segments;
  if (index < segments.size()) return &segments[index];
  return absl::OutOfRangeError(absl::StrCat(
      "segment ", index, " of ", segments.size(), " does not exist"));
}

}  // namespace
}  // namespace specinfer

using specinfer::CheckPointer;
using specinfer::Edge;

extern "C" {

specinfer_status specinfer_transcriber_create(
    const specinfer_model* model, specinfer_transcriber** out_transcriber) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(model, "model"));
    SPECINFER_RETURN_IF_ERROR(CheckPointer(out_transcriber, "out_transcriber"));
    auto handle = std::make_unique<specinfer_transcriber>();
    SPECINFER_ASSIGN_OR_RETURN(
        handle->transcriber, specinfer::Transcriber::Create(model->model, {}));
    *out_transcriber = handle.release();
    return absl::OkStatus();
  });
}

void specinfer_transcriber_destroy(specinfer_transcriber* transcriber) {
  delete transcriber;
}

specinfer_status specinfer_transcriber_use_voice_activity(
    specinfer_transcriber* transcriber, const char* path, size_t path_length) {
  return specinfer::TranscriberEdge(
      transcriber, [&](specinfer_transcriber& handle) -> absl::Status {
        std::string file;
        if (path_length > 0) {
          SPECINFER_ASSIGN_OR_RETURN(file,
                                     specinfer::ReadPath(path, path_length));
        }
        return specinfer::UseVoiceActivity(handle, file);
      });
}

specinfer_status specinfer_transcriber_use_draft_model(
    specinfer_transcriber* transcriber, const specinfer_model* draft) {
  return specinfer::TranscriberEdge(
      transcriber, [&](specinfer_transcriber& handle) -> absl::Status {
        if (handle.live != nullptr) return specinfer::ListensError();
        return handle.transcriber->UseDraftModel(
            draft == nullptr ? nullptr : draft->model);
      });
}

specinfer_status specinfer_transcriber_transcribe(
    specinfer_transcriber* transcriber, const float* samples,
    size_t num_samples, const specinfer_transcription_config* config,
    specinfer_transcription* out_transcription) {
  return specinfer::TranscriberEdge(
      transcriber, [&](specinfer_transcriber& handle) -> absl::Status {
        SPECINFER_RETURN_IF_ERROR(
            specinfer::CheckArray(samples, num_samples, "samples"));
        SPECINFER_RETURN_IF_ERROR(specinfer::CheckSizedOutput(
            out_transcription, specinfer::kTranscription));
        SPECINFER_ASSIGN_OR_RETURN(
            const specinfer::TranscriptionOptions options,
            specinfer::ReadOptions(config));
        if (handle.live != nullptr) return specinfer::ListensError();
        handle.last = {};
        SPECINFER_ASSIGN_OR_RETURN(
            handle.last,
            handle.transcriber->Transcribe({samples, num_samples}, options));
        specinfer::WriteSizedStruct(specinfer::ToC(handle.last),
                                    out_transcription);
        return absl::OkStatus();
      });
}

void specinfer_transcriber_cancel(specinfer_transcriber* transcriber) {
  if (transcriber != nullptr) transcriber->transcriber->Cancel();
}

specinfer_status specinfer_transcriber_get_segment(
    specinfer_transcriber* transcriber, size_t index,
    specinfer_segment* out_segment) {
  return specinfer::TranscriberEdge(
      transcriber, [&](specinfer_transcriber& handle) -> absl::Status {
        SPECINFER_RETURN_IF_ERROR(
            specinfer::CheckSizedOutput(out_segment, specinfer::kSegment));
        SPECINFER_ASSIGN_OR_RETURN(const specinfer::Segment* segment,
                                   specinfer::FindSegment(handle, index));
        specinfer::WriteSizedStruct(specinfer::ToC(*segment), out_segment);
        return absl::OkStatus();
      });
}

specinfer_status specinfer_transcriber_get_word(
    specinfer_transcriber* transcriber, size_t segment_index, size_t word_index,
    specinfer_word* out_word) {
  return specinfer::TranscriberEdge(
      transcriber, [&](specinfer_transcriber& handle) -> absl::Status {
        SPECINFER_RETURN_IF_ERROR(
            specinfer::CheckSizedOutput(out_word, specinfer::kWord));
        SPECINFER_ASSIGN_OR_RETURN(
            const specinfer::Segment* segment,
            specinfer::FindSegment(handle, segment_index));
        if (word_index >= segment->words.size()) {
          return absl::OutOfRangeError(absl::StrCat(
              "word ", word_index, " of ", segment->words.size(),
              " in segment ", segment_index, " does not exist",
              segment->words.empty() ? "; ask for SPECINFER_TRANSCRIBE_WORDS"
                                     : ""));
        }
        specinfer::WriteSizedStruct(specinfer::ToC(segment->words[word_index]),
                                    out_word);
        return absl::OkStatus();
      });
}

}  // extern "C"
