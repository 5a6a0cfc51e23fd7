// Sound through the C API's listening transcriber, for `transcribe --stream`.
#ifndef SPECINFER_TOOLS_SPECINFER_LIVE_TRANSCRIPTION_H_
#define SPECINFER_TOOLS_SPECINFER_LIVE_TRANSCRIPTION_H_

#include <string>

#include "interrupt.h"
#include "transcription.h"
#include <CLI/App.hpp>

namespace specinfer_cli {

struct StreamOptions {
  bool is_on = false;
  bool in_real_time = false;  // a file's sound comes no faster than it was
  double partial_seconds = 0.5;
  double endpoint_seconds = 0.5;
};

// --stream, --real-time, --partial, --endpoint.
void AddStreamOptions(CLI::App& verb, StreamOptions& options);

// Writes down an audio file, or standard input (-: 16-bit mono samples at
// 16 kHz), while it is heard. Prints a line for each final text; on a terminal
// the partial text below them; as JSON an object for each event. Throws
// Failure.
void Listen(specinfer_transcriber* transcriber, const std::string& path,
            const SpeechOptions& speech, const StreamOptions& options,
            bool prints_json, const Interrupt& interrupt);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_LIVE_TRANSCRIPTION_H_
