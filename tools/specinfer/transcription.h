// Recordings through the C API's transcriber, for `transcribe` and
// `bench --transcripts`.
#ifndef SPECINFER_TOOLS_SPECINFER_TRANSCRIPTION_H_
#define SPECINFER_TOOLS_SPECINFER_TRANSCRIPTION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "handles.h"
#include "interrupt.h"
#include "options.h"
#include "subtitles.h"
#include <CLI/App.hpp>

namespace specinfer_cli {

inline constexpr char kDefaultSpeechModel[] = "whisper-base";

struct SpeechOptions {
  std::string language;  // empty: told by the sound
  std::string initial_prompt;
  std::string hotwords;
  float hotword_bias = SPECINFER_HOTWORD_BIAS;
  uint32_t best_of = 1;
  uint64_t seed = 0;
  bool translates = false;
  bool has_no_timestamps = false;
  bool uses_previous_text = false;
  bool has_words = false;
  std::string voice_activity;  // a file of weights or its name; empty: none
  int32_t strategy = SPECINFER_STRATEGY_AUTO;
};
// --language, --no-timestamps, --voice-activity, and --float, a flag of the
// model.
void AddSpeechOptions(CLI::App& verb, SpeechOptions& options,
                      ModelOptions& model);

// What of them is the library's; it borrows their texts.
specinfer_transcription_config SpeechConfig(const SpeechOptions& options);

// A whole audio file.
struct Recording {
  std::string path;
  uint32_t sample_rate = 0;
  uint32_t num_channels = 0;
  std::vector<float> samples;  // interleaved
};
// Throws Failure.
Recording ReadRecording(const std::string& path);

// With the draft model that was loaded, if any.
Transcriber CreateTranscriber(const LoadedModel& loaded,
                              const SpeechOptions& options);

// With a progress bar on a terminal. Throws Failure; with exit status 130 where
// Ctrl-C ended it.
TranscribedFile Transcribe(specinfer_transcriber* transcriber,
                           const Recording& recording,
                           const SpeechOptions& options,
                           const Interrupt& interrupt);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_TRANSCRIPTION_H_
