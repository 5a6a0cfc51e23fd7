#include "transcripts_bench.h"

#include <cstdio>
#include <string>
#include <utility>

#include "english_normalizer.h"
#include "progress_bar.h"
#include "transcript_list.h"
#include "word_errors.h"

namespace specinfer_cli {
namespace {

// Of one recording, or of all.
struct Result {
  std::string file;
  WordErrors errors;
  double audio_seconds = 0;
  double speech_seconds = 0;
  uint64_t num_tokens = 0;
  uint64_t num_passes = 0;
  bool has_same_text = true;  // in every repeat
  std::string text;
  // One per repeat.
  std::vector<double> milliseconds, encode_milliseconds, decode_milliseconds;
};

void AddRun(TranscribedFile run, Result& result) {
  std::string text = PlainText(run.segments);
  if (!result.milliseconds.empty()) result.has_same_text &= text == result.text;
  result.text = std::move(text);
  result.audio_seconds = run.audio_seconds;
  result.speech_seconds = run.speech_seconds;
  result.num_tokens = run.num_tokens;
  result.num_passes = run.num_passes;
  result.milliseconds.push_back(1e3 * run.seconds);
  result.encode_milliseconds.push_back(1e3 * run.encode_seconds);
  result.decode_milliseconds.push_back(1e3 * run.decode_seconds);
}

void AddTo(std::vector<double>& sums, const std::vector<double>& terms) {
  sums.resize(terms.size());
  for (size_t i = 0; i < terms.size(); ++i) sums[i] += terms[i];
}

Result All(const std::vector<Result>& results) {
  Result all;
  all.file = "all";
  for (const Result& result : results) {
    all.errors.substitutions += result.errors.substitutions;
    all.errors.deletions += result.errors.deletions;
    all.errors.insertions += result.errors.insertions;
    all.errors.num_reference_words += result.errors.num_reference_words;
    all.audio_seconds += result.audio_seconds;
    all.speech_seconds += result.speech_seconds;
    all.num_tokens += result.num_tokens;
    all.num_passes += result.num_passes;
    all.has_same_text &= result.has_same_text;
    AddTo(all.milliseconds, result.milliseconds);
    AddTo(all.encode_milliseconds, result.encode_milliseconds);
    AddTo(all.decode_milliseconds, result.decode_milliseconds);
  }
  return all;
}

BenchRow RowOf(const Result& result) {
  BenchRow row = {{"what", "transcripts"},
                  {"file", result.file},
                  {"audio_seconds", result.audio_seconds},
                  {"speech_seconds", result.speech_seconds}};
  PutTimes(result.milliseconds, row);
  row["real_time_factor"] =
      1e-3 * Quantile(result.milliseconds, 0.5) / result.audio_seconds;
  row["encode_milliseconds"] = Quantile(result.encode_milliseconds, 0.5);
  row["decode_milliseconds"] = Quantile(result.decode_milliseconds, 0.5);
  row["tokens"] = result.num_tokens;
  row["passes"] = result.num_passes;
  row["word_error_rate"] = result.errors.rate();
  row["words"] = result.errors.num_reference_words;
  row["substitutions"] = result.errors.substitutions;
  row["deletions"] = result.errors.deletions;
  row["insertions"] = result.errors.insertions;
  row["same_text"] = result.has_same_text;
  if (!result.text.empty()) row["text"] = result.text;
  return row;
}

}  // namespace

std::vector<BenchRow> MeasureTranscripts(const LoadedModel& loaded,
                                         const BenchOptions& options) {
  const std::vector<Transcript> transcripts =
      ReadTranscripts(options.transcripts.file);
  SpeechOptions speech = options.transcripts.speech;
  speech.strategy = ParseStrategy(options.speculation.strategy);
  const Transcriber transcriber = CreateTranscriber(loaded, speech);
  std::vector<Recording> recordings;
  for (const Transcript& transcript : transcripts)
    recordings.push_back(ReadRecording(transcript.path));
  std::vector<Result> results(transcripts.size());
  Interrupt interrupt;
  interrupt.Watch(transcriber.get());
  // The first run warms up.
  for (uint32_t run = 0; run <= options.num_repeats; ++run) {
    for (size_t i = 0; i < recordings.size(); ++i) {
      TranscribedFile file =
          Transcribe(transcriber.get(), recordings[i], speech, interrupt);
      if (run > 0) AddRun(std::move(file), results[i]);
    }
  }
  const EnglishNormalizer normalizer;
  std::vector<BenchRow> rows;
  for (size_t i = 0; i < results.size(); ++i) {
    results[i].file = transcripts[i].name;
    results[i].errors = CountWordErrors(normalizer.Words(transcripts[i].text),
                                        normalizer.Words(results[i].text));
    rows.push_back(RowOf(results[i]));
  }
  rows.push_back(RowOf(All(results)));
  return rows;
}

void PrintTranscriptsTable(const std::vector<BenchRow>& rows) {
  std::printf("%-48s %8s %11s %11s %7s %7s %8s %8s\n", "file", "seconds",
              "median ms", "real-time", "words", "errors", "error %", "passes");
  for (const BenchRow& row : rows) {
    const int64_t errors = row["substitutions"].get<int64_t>() +
                           row["deletions"].get<int64_t>() +
                           row["insertions"].get<int64_t>();
    std::printf(
        "%-48s %8.2f %11.3f %11.4f %7d %7d %8.2f %8d\n",
        row["file"].get<std::string>().c_str(),
        row["audio_seconds"].get<double>(), row["milliseconds"].get<double>(),
        row["real_time_factor"].get<double>(), row["words"].get<int>(),
        static_cast<int>(errors), 100 * row["word_error_rate"].get<double>(),
        row["passes"].get<int>());
  }
}

}  // namespace specinfer_cli
