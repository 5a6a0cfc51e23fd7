#include "live_transcription.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <optional>
#include <thread>
#include <vector>

#include "failure.h"
#include "measurement.h"
#include "sound_source.h"
#include "specinfer/live_speech.h"
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

namespace specinfer_cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kInterrupted = 130;
constexpr double kBlockSeconds = 0.02;
constexpr uint64_t kStepMicroseconds = 20000;

const char* KindName(int32_t kind) {
  switch (kind) {
    case SPECINFER_SPEECH_BEGIN:
      return "begin";
    case SPECINFER_SPEECH_PARTIAL:
      return "partial";
    case SPECINFER_SPEECH_FINAL:
      return "final";
    case SPECINFER_SPEECH_END:
      return "end";
    default:
      return "done";
  }
}

Json Words(specinfer_transcriber* transcriber, uint32_t num_words) {
  Json words = Json::array();
  for (uint32_t i = 0; i < num_words; ++i) {
    specinfer_word word = SPECINFER_WORD_INIT;
    Check(specinfer_transcriber_get_word(transcriber, 0, i, &word));
    words.push_back({{"start", word.start},
                     {"end", word.end},
                     {"probability", word.probability},
                     {"text", std::string(word.text, word.text_length)}});
  }
  return words;
}

// What was heard, as lines.
class Printer {
 public:
  Printer(specinfer_transcriber* transcriber, bool prints_json)
      : transcriber_(transcriber),
        prints_json_(prints_json),
        shows_partial_(!prints_json && isatty(STDOUT_FILENO)) {}

  void Print(const specinfer_speech_event& event) {
    const std::string text(event.text == nullptr ? "" : event.text,
                           event.text_length);
    if (prints_json_) {
      PrintJson(event, text);
    } else if (event.kind == SPECINFER_SPEECH_FINAL) {
      std::printf("%s[%6.2f -> %6.2f]%s\n", shows_partial_ ? "\r\x1b[J" : "",
                  event.start, event.end, text.c_str());
    } else if (event.kind == SPECINFER_SPEECH_PARTIAL && shows_partial_) {
      // What is settled is bright, the rest dim.
      std::printf("\r\x1b[J%s\x1b[2m%s\x1b[0m",
                  text.substr(0, event.stable_length).c_str(),
                  text.substr(event.stable_length).c_str());
    } else if (event.kind == SPECINFER_SPEECH_END && shows_partial_) {
      std::printf("\r\x1b[J");
    }
    std::fflush(stdout);
  }

 private:
  void PrintJson(const specinfer_speech_event& event,
                 const std::string& text) const {
    Json line = {{"event", KindName(event.kind)},
                 {"seconds", 1e-3 * stopwatch_.Milliseconds()}};
    if (event.kind != SPECINFER_SPEECH_DONE &&
        event.kind != SPECINFER_SPEECH_END)
      line["start"] = event.start;
    if (event.kind != SPECINFER_SPEECH_DONE &&
        event.kind != SPECINFER_SPEECH_BEGIN)
      line["end"] = event.end;
    if (event.text != nullptr) {
      line["text"] = text;
      if (event.kind == SPECINFER_SPEECH_PARTIAL)
        line["stable"] = text.substr(0, event.stable_length);
      if (event.num_words > 0)
        line["words"] = Words(transcriber_, event.num_words);
      line["tokens"] = event.num_tokens;
      line["passes"] = event.num_passes;
      line["encode_seconds"] = event.encode_seconds;
      line["decode_seconds"] = event.decode_seconds;
    }
    std::puts(line.dump().c_str());
  }

  specinfer_transcriber* const transcriber_;
  const bool prints_json_;
  const bool shows_partial_;
  const Stopwatch stopwatch_;
};

// Pushes all of it; what there is no room for waits.
void Push(specinfer_transcriber* transcriber, const std::vector<float>& block,
          const std::atomic<bool>& is_over) {
  for (size_t begin = 0; begin < block.size() && !is_over;) {
    size_t num_taken = 0;
    Check(specinfer_transcriber_push(transcriber, &block[begin],
                                     block.size() - begin, &num_taken));
    begin += num_taken;
    if (begin < block.size())
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

// The audio thread of a source that takes its time.
class Pusher {
 public:
  Pusher(specinfer_transcriber* transcriber, SoundSource& source)
      : thread_([this, transcriber, &source] {
          try {
            PushAll(transcriber, source);
          } catch (...) {
            error_ = std::current_exception();
          }
          specinfer_transcriber_finish(transcriber);
        }) {}
  ~Pusher() {
    is_over_ = true;
    thread_.join();
  }
  // Throws what the thread has thrown. REQUIRES: all sound was told.
  void Check() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void PushAll(specinfer_transcriber* transcriber, SoundSource& source) {
    const auto begin = std::chrono::steady_clock::now();
    for (int64_t i = 1; !is_over_; ++i) {
      const std::vector<float>& block = source.Read(kBlockSeconds, is_over_);
      if (block.empty()) return;
      if (!source.is_live()) {
        std::this_thread::sleep_until(
            begin + i * std::chrono::microseconds(
                            static_cast<int64_t>(1e6 * kBlockSeconds)));
      }
      Push(transcriber, block, is_over_);
    }
  }

  std::exception_ptr error_;
  std::atomic<bool> is_over_ = false;
  std::thread thread_;
};

// One event, or none where there is nothing to do now.
std::optional<specinfer_speech_event> Step(specinfer_transcriber* transcriber,
                                           const Interrupt& interrupt) {
  specinfer_speech_event event = SPECINFER_SPEECH_EVENT_INIT;
  do {
    if (interrupt.Happened()) throw Failure("stopped by Ctrl-C", kInterrupted);
    const specinfer_status status =
        specinfer_transcriber_step(transcriber, kStepMicroseconds, &event);
    if (status == SPECINFER_CANCELLED)
      throw Failure("stopped by Ctrl-C", kInterrupted);
    Check(status);
  } while (event.kind == SPECINFER_SPEECH_WORKING);
  if (event.kind == SPECINFER_SPEECH_NOTHING) return std::nullopt;
  return event;
}

// Each block is worked on before the next comes.
void ListenQuickly(specinfer_transcriber* transcriber, SoundSource& source,
                   Printer& printer, const Interrupt& interrupt) {
  const std::atomic<bool> is_over{false};
  for (bool is_done = false; !is_done;) {
    const std::vector<float>& block = source.Read(kBlockSeconds, is_over);
    if (block.empty()) {
      Check(specinfer_transcriber_finish(transcriber));
    } else {
      Push(transcriber, block, is_over);
    }
    while (const auto event = Step(transcriber, interrupt)) {
      printer.Print(*event);
      is_done = event->kind == SPECINFER_SPEECH_DONE;
      if (is_done) break;
    }
  }
}

void ListenInTime(specinfer_transcriber* transcriber, SoundSource& source,
                  Printer& printer, const Interrupt& interrupt) {
  Pusher pusher(transcriber, source);
  while (true) {
    const auto event = Step(transcriber, interrupt);
    if (!event) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      continue;
    }
    printer.Print(*event);
    if (event->kind == SPECINFER_SPEECH_DONE) break;
  }
  pusher.Check();
}

}  // namespace

void AddStreamOptions(CLI::App& verb, StreamOptions& options) {
  CLI::Option* const stream = verb.add_flag(
      "--stream", options.is_on,
      "Write down while it is heard: partial and final texts. FILE may be -: "
      "16-bit mono samples at 16 kHz from standard input");
  verb.add_flag("--real-time", options.in_real_time,
                "A file's sound comes no faster than it was recorded")
      ->needs(stream);
  verb.add_option("--partial", options.partial_seconds,
                  "Seconds of sound between partial texts; 0: there are none")
      ->check(CLI::Range(0.0, 30.0))
      ->needs(stream)
      ->capture_default_str();
  verb.add_option("--endpoint", options.endpoint_seconds,
                  "Seconds of silence that end an utterance")
      ->check(CLI::Range(0.05, 10.0))
      ->needs(stream)
      ->capture_default_str();
}

void Listen(specinfer_transcriber* transcriber, const std::string& path,
            const SpeechOptions& speech, const StreamOptions& options,
            bool prints_json, const Interrupt& interrupt) {
  SoundSource source(path);
  specinfer_transcription_config config = SpeechConfig(speech);
  config.sample_rate = static_cast<uint32_t>(source.sample_rate());
  config.num_channels = static_cast<uint32_t>(source.num_channels());
  specinfer_live_config live = SPECINFER_LIVE_CONFIG_INIT;
  live.partial_seconds =
      options.partial_seconds > 0.0 ? options.partial_seconds : -1.0;
  live.endpoint_seconds = options.endpoint_seconds;
  Check(specinfer_transcriber_listen(transcriber, &config, &live));
  Printer printer(transcriber, prints_json);
  if (source.is_live() || options.in_real_time) {
    ListenInTime(transcriber, source, printer, interrupt);
  } else {
    ListenQuickly(transcriber, source, printer, interrupt);
  }
  Check(specinfer_transcriber_stop(transcriber));
}

}  // namespace specinfer_cli
