// transcribe: audio files to text, subtitles or JSON.
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "audio_file.h"
#include "failure.h"
#include "file_text.h"
#include "live_transcription.h"
#include "transcription.h"
#include "verbs.h"
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace specinfer_cli {
namespace {

struct TranscribeOptions {
  ModelOptions model;
  SpeechOptions speech;
  SpeculationOptions speculation;
  StreamOptions stream;
  std::vector<std::string> files;
  std::string output_file = "-";
  bool prints_json = false;
  bool prints_srt = false;
  bool prints_vtt = false;

  bool PrintsText() const { return !prints_json && !prints_srt && !prints_vtt; }
};

// What can be known before the model is loaded.
void CheckOptions(const TranscribeOptions& options) {
  CheckDraft(options.speculation.strategy, options.speculation);
  if (options.prints_json + options.prints_srt + options.prints_vtt > 1)
    throw Failure("give one of --json, --srt and --vtt, not several");
  if ((options.prints_srt || options.prints_vtt) && options.files.size() > 1)
    throw Failure(
        "subtitles are of one file: with --srt and --vtt give one FILE");
  if (options.stream.is_on) {
    if (options.files.size() > 1)
      throw Failure("--stream hears one thing at a time: give one FILE");
    if (options.prints_srt || options.prints_vtt || options.output_file != "-")
      throw Failure("--stream prints text or --json to standard output");
    if (options.files.front() == "-") return;
  }
  for (const std::string& path : options.files) AudioFile{path};
}

std::string TextOf(const TranscribedFile& file,
                   const TranscribeOptions& options) {
  return (options.files.size() > 1 ? "==> " + file.file + " <==\n" : "") +
         (options.speech.has_words ? WordLines(file.segments)
                                   : PlainText(file.segments) + "\n");
}

std::string Format(const std::vector<TranscribedFile>& files,
                   const TranscribeOptions& options) {
  if (options.prints_json) return ToJson(files);
  if (options.prints_srt) return ToSrt(files.front().segments);
  if (options.prints_vtt) return ToWebVtt(files.front().segments);
  std::string text;
  for (const TranscribedFile& file : files) text += TextOf(file, options);
  return text;
}

void PrintSpeed(const TranscribedFile& file) {
  if (!isatty(STDERR_FILENO) || !isatty(STDOUT_FILENO)) return;
  std::fprintf(stderr, "[%.1f s in %.2f s, real-time factor %.3f, %s]\n",
               file.audio_seconds, file.seconds, file.RealTimeFactor(),
               file.language.c_str());
}

void TranscribeFiles(TranscribeOptions& options) {
  options.speech.strategy = ParseStrategy(options.speculation.strategy);
  CheckOptions(options);
  const LoadedModel loaded = LoadModel(options.model, options.speculation);
  const Transcriber transcriber = CreateTranscriber(loaded, options.speech);
  const bool is_streaming = options.PrintsText() && options.output_file == "-";
  std::vector<TranscribedFile> files;
  Interrupt interrupt;
  interrupt.Watch(transcriber.get());
  if (options.stream.is_on) {
    Listen(transcriber.get(), options.files.front(), options.speech,
           options.stream, options.prints_json, interrupt);
    return;
  }
  for (const std::string& path : options.files) {
    files.push_back(Transcribe(transcriber.get(), ReadRecording(path),
                               options.speech, interrupt));
    if (is_streaming) WriteFile("-", TextOf(files.back(), options));
    PrintSpeed(files.back());
  }
  if (!is_streaming) WriteFile(options.output_file, Format(files, options));
}

}  // namespace

void AddTranscribe(CLI::App& app) {
  auto options = std::make_shared<TranscribeOptions>();
  CLI::App* verb = app.add_subcommand("transcribe", "What is said, as text");
  AddModelOptions(*verb, options->model);
  options->model.model = kDefaultSpeechModel;
  verb->get_option("--model")->capture_default_str();
  AddSpeechOptions(*verb, options->speech, options->model);
  AddStrategyOptions(*verb, options->speculation);
  verb->add_option("FILE", options->files, "Audio: WAV, FLAC, Ogg, MP3")
      ->required();
  AddStreamOptions(*verb, options->stream);
  verb->add_flag("--translate", options->speech.translates,
                 "Write English, whatever is spoken");
  verb->add_option("--prompt", options->speech.initial_prompt,
                   "As if it had been said before: names, spelling, style");
  verb->add_option("--hotwords", options->speech.hotwords,
                   "Words to expect anywhere: phrases between commas, or "
                   "words between blanks");
  verb->add_option("--hotword-bias", options->speech.hotword_bias,
                   "Logits for tokens that begin or continue a hotword; 0: "
                   "hotwords prompt each window instead")
      ->capture_default_str();
  verb->add_option("--best-of", options->speech.best_of,
                   "Texts that are sampled where one is tried again at a "
                   "higher temperature; the likeliest is kept")
      ->capture_default_str();
  verb->add_flag("--previous-text", options->speech.uses_previous_text,
                 "What was said prompts what follows: helps with names, and "
                 "carries mistakes along");
  verb->add_flag("--words", options->speech.has_words,
                 "When each word is said: a line for each, or words in the "
                 "segments of --json");
  verb->add_option("--seed", options->speech.seed,
                   "Of tries at higher temperatures");
  verb->add_flag("--json", options->prints_json,
                 "Print an array with one object per file: text, segments, "
                 "times; with --stream an object for each event");
  verb->add_flag("--srt", options->prints_srt, "Print SubRip subtitles");
  verb->add_flag("--vtt", options->prints_vtt, "Print WebVTT subtitles");
  verb->add_option("-o,--output", options->output_file,
                   "Write to this file; -: standard output")
      ->capture_default_str();
  verb->callback([options] { TranscribeFiles(*options); });
}

}  // namespace specinfer_cli
