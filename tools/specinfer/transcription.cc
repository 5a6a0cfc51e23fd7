#include "transcription.h"

#include <cstdio>

#include "audio_file.h"
#include "failure.h"
#include "measurement.h"
#include "model_list.h"
#include "progress_bar.h"
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace specinfer_cli {
namespace {

constexpr int kInterrupted = 130;

struct Progress {
  const Interrupt& interrupt;
  double audio_seconds;
  Stopwatch stopwatch;
  ProgressBar bar;
};

int32_t ShowProgress(void* user_data, float fraction) {
  Progress& progress = *static_cast<Progress*>(user_data);
  char note[40];
  std::snprintf(note, sizeof(note), "real-time factor %.3f",
                1e-3 * progress.stopwatch.Milliseconds() /
                    (progress.audio_seconds * static_cast<double>(fraction)));
  progress.bar.Show(static_cast<double>(fraction), note);
  return progress.interrupt.Happened() ? 1 : 0;
}

std::vector<TranscribedWord> GetWords(specinfer_transcriber* transcriber,
                                      uint32_t segment, uint32_t num_words) {
  std::vector<TranscribedWord> words;
  for (uint32_t i = 0; i < num_words; ++i) {
    specinfer_word word = SPECINFER_WORD_INIT;
    Check(specinfer_transcriber_get_word(transcriber, segment, i, &word));
    words.push_back({.start = word.start,
                     .end = word.end,
                     .probability = static_cast<double>(word.probability),
                     .text = std::string(word.text, word.text_length)});
  }
  return words;
}

std::vector<TranscribedSegment> GetSegments(specinfer_transcriber* transcriber,
                                            uint32_t num_segments) {
  std::vector<TranscribedSegment> segments;
  for (uint32_t i = 0; i < num_segments; ++i) {
    specinfer_segment segment = SPECINFER_SEGMENT_INIT;
    Check(specinfer_transcriber_get_segment(transcriber, i, &segment));
    segments.push_back({.start = segment.start,
                        .end = segment.end,
                        .text = std::string(segment.text, segment.text_length),
                        .words = GetWords(transcriber, i, segment.num_words)});
  }
  return segments;
}

}  // namespace

specinfer_transcription_config SpeechConfig(const SpeechOptions& options) {
  specinfer_transcription_config config = SPECINFER_TRANSCRIPTION_CONFIG_INIT;
  if (options.translates) config.flags |= SPECINFER_TRANSCRIBE_TRANSLATE;
  if (options.has_no_timestamps)
    config.flags |= SPECINFER_TRANSCRIBE_WITHOUT_TIMESTAMPS;
  if (options.uses_previous_text)
    config.flags |= SPECINFER_TRANSCRIBE_USE_PREVIOUS_TEXT;
  if (options.has_words) config.flags |= SPECINFER_TRANSCRIBE_WORDS;
  config.language = options.language.data();
  config.language_length = options.language.size();
  config.initial_prompt = options.initial_prompt.data();
  config.initial_prompt_length = options.initial_prompt.size();
  config.hotwords = options.hotwords.data();
  config.hotwords_length = options.hotwords.size();
  config.hotword_bias = options.hotword_bias;
  config.best_of = options.best_of;
  config.seed = options.seed;
  config.strategy = options.strategy;
  return config;
}

void AddSpeechOptions(CLI::App& verb, SpeechOptions& options,
                      ModelOptions& model) {
  verb.add_option("--language", options.language,
                  "The language that is spoken, as de or german; without it, "
                  "it is told by the first 30 s");
  verb.add_flag("--no-timestamps", options.has_no_timestamps,
                "Do not ask the model for times: quicker, and each segment is "
                "a window of up to 30 s");
  verb.add_option("--voice-activity", options.voice_activity,
                  "Hear only where someone speaks: weights of Silero VAD, a "
                  "file or a name such as silero-vad");
  verb.add_flag_callback(
      "--float", [&model] { model.flags |= SPECINFER_MODEL_FLOAT; },
      "Keep weights that are floats as they are: slower, more exact");
}

Recording ReadRecording(const std::string& path) {
  constexpr size_t kBlockFrames = 1 << 16;
  AudioFile file(path);
  Recording recording = {
      .path = path,
      .sample_rate = static_cast<uint32_t>(file.sample_rate()),
      .num_channels = static_cast<uint32_t>(file.num_channels()),
      .samples = {}};
  while (true) {
    const std::vector<float>& block = file.Read(kBlockFrames);
    if (block.empty()) return recording;
    recording.samples.insert(recording.samples.end(), block.begin(),
                             block.end());
  }
}

Transcriber CreateTranscriber(const LoadedModel& loaded,
                              const SpeechOptions& options) {
  specinfer_transcriber* handle = nullptr;
  Check(specinfer_transcriber_create(loaded.model.get(), &handle));
  Transcriber transcriber(handle);
  if (!options.voice_activity.empty()) {
    const std::string path = FindModel(options.voice_activity);
    Check(specinfer_transcriber_use_voice_activity(handle, path.data(),
                                                   path.size()));
  }
  if (loaded.draft != nullptr)
    Check(specinfer_transcriber_use_draft_model(handle, loaded.draft.get()));
  return transcriber;
}

TranscribedFile Transcribe(specinfer_transcriber* transcriber,
                           const Recording& recording,
                           const SpeechOptions& options,
                           const Interrupt& interrupt) {
  const double frames_per_second =
      static_cast<double>(recording.sample_rate) * recording.num_channels;
  Progress progress = {
      .interrupt = interrupt,
      .audio_seconds =
          static_cast<double>(recording.samples.size()) / frames_per_second,
      .stopwatch = {},
      .bar = ProgressBar(recording.path)};
  specinfer_transcription_config config = SpeechConfig(options);
  config.sample_rate = recording.sample_rate;
  config.num_channels = recording.num_channels;
  config.progress = ShowProgress;
  config.progress_user_data = &progress;
  specinfer_transcription transcription = SPECINFER_TRANSCRIPTION_INIT;
  const specinfer_status status = specinfer_transcriber_transcribe(
      transcriber, recording.samples.data(), recording.samples.size(), &config,
      &transcription);
  const double seconds = 1e-3 * progress.stopwatch.Milliseconds();
  progress.bar.Clear();
  if (status == SPECINFER_CANCELLED)
    throw Failure("stopped by Ctrl-C", kInterrupted);
  Check(status, "audio file \"" + recording.path + "\"");
  return {.file = recording.path,
          .language = transcription.language,
          .audio_seconds = transcription.audio_seconds,
          .speech_seconds = transcription.speech_seconds,
          .seconds = seconds,
          .encode_seconds = transcription.encode_seconds,
          .decode_seconds = transcription.decode_seconds,
          .num_tokens = transcription.num_tokens,
          .num_passes = transcription.num_passes,
          .segments = GetSegments(transcriber, transcription.num_segments)};
}

}  // namespace specinfer_cli
