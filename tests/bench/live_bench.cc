// Live speech at the pace of the recording: how late its texts come, how much
// it computes, and how far the text is from that of the recording as a whole;
// alone, then beside a session that generates without pause in the same engine.
// The recording behind a second of noise gives another text too: how much of it
// differs says how near live text can be expected to come.
// Then what it costs to decode again what was heard before, with the text heard
// last as the draft and without, at a pace that computing sets.
//
// usage: live_bench MODEL VOICE_ACTIVITY CHAT_MODEL SECONDS FILE...
//        FILE...: audio at 16 kHz, one channel; joined in a random order, with
//        0.8 to 3 s of faint noise between, until there are SECONDS of it
//        CHAT_MODEL: - for none
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "specinfer/live_speech.h"
#include "tools/specinfer/audio_file.h"
#include "tools/specinfer/english_normalizer.h"
#include "tools/specinfer/failure.h"
#include "tools/specinfer/handles.h"
#include "tools/specinfer/measurement.h"
#include "tools/specinfer/processor.h"
#include "tools/specinfer/word_errors.h"

namespace specinfer_cli {
namespace {

constexpr size_t kRate = 16000;
constexpr size_t kBlock = kRate / 50;

std::vector<float> Noise(double seconds, std::mt19937& random) {
  std::normal_distribution<float> noise(0.0f, 6e-4f);
  std::vector<float> samples(static_cast<size_t>(seconds * kRate));
  for (float& sample : samples) sample = noise(random);
  return samples;
}

std::vector<float> Join(const std::vector<std::string>& paths, double seconds) {
  std::mt19937 random(1);
  std::vector<std::vector<float>> clips;
  for (const std::string& path : paths) {
    AudioFile file(path);
    if (file.sample_rate() != kRate || file.num_channels() != 1)
      throw Failure(path + " is not at 16 kHz with one channel");
    clips.push_back(file.Read(static_cast<size_t>(file.num_frames())));
  }
  std::uniform_real_distribution<double> gap(0.8, 3.0);
  std::vector<float> samples;
  const auto add_gap = [&](double length) {
    const std::vector<float> noise = Noise(length, random);
    samples.insert(samples.end(), noise.begin(), noise.end());
  };
  while (static_cast<double>(samples.size()) < seconds * kRate) {
    std::shuffle(clips.begin(), clips.end(), random);
    for (const std::vector<float>& clip : clips) {
      add_gap(gap(random));
      samples.insert(samples.end(), clip.begin(), clip.end());
    }
  }
  samples.resize(static_cast<size_t>(seconds * kRate));
  add_gap(1.0);
  return samples;
}

struct Figures {
  std::vector<double> partials, finals;  // seconds behind the sound
  double step_seconds = 0.0;             // in calls that had something to do
  uint64_t num_refused = 0;
  std::string text;
};

// The audio thread's part; `begin` is when the first sample is spoken.
void PushAll(specinfer_transcriber* transcriber,
             const std::vector<float>& samples,
             std::chrono::steady_clock::time_point begin, Figures* figures) {
  for (size_t i = 0; i < samples.size(); i += kBlock) {
    const size_t size = std::min(kBlock, samples.size() - i);
    std::this_thread::sleep_until(
        begin + std::chrono::microseconds((i + size) * 1000000 / kRate));
    size_t num_taken = 0;
    Check(
        specinfer_transcriber_push(transcriber, &samples[i], size, &num_taken));
    figures->num_refused += size - num_taken;
  }
  Check(specinfer_transcriber_finish(transcriber));
}

Figures Listen(specinfer_transcriber* transcriber,
               const specinfer_transcription_config& config,
               const std::vector<float>& samples) {
  Figures figures;
  Check(specinfer_transcriber_listen(transcriber, &config, nullptr));
  const auto begin = std::chrono::steady_clock::now();
  std::thread audio([&] { PushAll(transcriber, samples, begin, &figures); });
  const Stopwatch since_begin;
  specinfer_speech_event event = SPECINFER_SPEECH_EVENT_INIT;
  while (event.kind != SPECINFER_SPEECH_DONE) {
    const Stopwatch step;
    Check(specinfer_transcriber_step(transcriber, 0, &event));
    figures.step_seconds += 1e-3 * step.Milliseconds();
    const double behind = 1e-3 * since_begin.Milliseconds() - event.end;
    if (event.kind == SPECINFER_SPEECH_PARTIAL)
      figures.partials.push_back(behind);
    if (event.kind == SPECINFER_SPEECH_END) figures.finals.push_back(behind);
    if (event.kind == SPECINFER_SPEECH_FINAL)
      figures.text.append(event.text, event.text_length);
    if (event.kind == SPECINFER_SPEECH_NOTHING)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  audio.join();
  Check(specinfer_transcriber_stop(transcriber));
  return figures;
}

// What decoding cost, of partial texts and of final ones.
struct Decoding {
  double seconds[2] = {};
  uint64_t num_passes[2] = {};
  std::string text;
};

// As Listen, but time stands still while there is nothing to do.
Decoding Decode(specinfer_transcriber* transcriber,
                const specinfer_transcription_config& config,
                const std::vector<float>& samples) {
  Decoding decoding;
  Check(specinfer_transcriber_listen(transcriber, &config, nullptr));
  double now = 0.0;
  size_t num_pushed = 0;
  specinfer_speech_event event = SPECINFER_SPEECH_EVENT_INIT;
  while (event.kind != SPECINFER_SPEECH_DONE) {
    const size_t num_spoken =
        std::min(samples.size(), static_cast<size_t>(now * kRate));
    if (num_pushed < num_spoken) {
      size_t num_taken = 0;
      Check(specinfer_transcriber_push(transcriber, &samples[num_pushed],
                                       num_spoken - num_pushed, &num_taken));
      num_pushed += num_taken;
      if (num_pushed == samples.size())
        Check(specinfer_transcriber_finish(transcriber));
    }
    const Stopwatch step;
    Check(specinfer_transcriber_step(transcriber, 0, &event));
    now += 1e-3 * step.Milliseconds();
    if (event.kind == SPECINFER_SPEECH_NOTHING) now += 0.01;
    const bool is_final = event.kind == SPECINFER_SPEECH_FINAL;
    if (!is_final && event.kind != SPECINFER_SPEECH_PARTIAL) continue;
    decoding.seconds[is_final] += event.decode_seconds;
    decoding.num_passes[is_final] += event.num_passes;
    if (is_final) decoding.text.append(event.text, event.text_length);
  }
  Check(specinfer_transcriber_stop(transcriber));
  return decoding;
}

Transcriber CreateListener(const Model& model, const std::string& voice) {
  specinfer_transcriber* handle = nullptr;
  Check(specinfer_transcriber_create(model.get(), &handle));
  Transcriber transcriber(handle);
  Check(specinfer_transcriber_use_voice_activity(handle, voice.data(),
                                                 voice.size()));
  return transcriber;
}

// In turn, so that a machine that changes its speed is fair to both; each by a
// transcriber of its own, which has learnt nothing.
void CompareDecoding(const Model& model, const std::string& voice,
                     specinfer_transcription_config config,
                     const std::vector<float>& samples) {
  constexpr int kRounds = 3;
  std::vector<double> ratios[2];
  for (int round = 0; round < kRounds; ++round) {
    config.strategy = SPECINFER_STRATEGY_NGRAM;
    const Decoding guessed =
        Decode(CreateListener(model, voice).get(), config, samples);
    config.strategy = SPECINFER_STRATEGY_OFF;
    const Decoding plain =
        Decode(CreateListener(model, voice).get(), config, samples);
    for (const int is_final : {0, 1}) {
      ratios[is_final].push_back(guessed.seconds[is_final] /
                                 plain.seconds[is_final]);
      std::printf(
          "  %s texts: %.3f s and %llu passes, without guesses %.3f s "
          "and %llu\n",
          is_final ? "final" : "partial", guessed.seconds[is_final],
          static_cast<unsigned long long>(guessed.num_passes[is_final]),
          plain.seconds[is_final],
          static_cast<unsigned long long>(plain.num_passes[is_final]));
    }
    if (guessed.text != plain.text) std::printf("  ANOTHER TEXT\n");
  }
  std::printf(
      "decoding again, with guesses beside without: partial texts "
      "%.2f, final ones %.2f\n",
      Quantile(ratios[0], 0.5), Quantile(ratios[1], 0.5));
}

// A session that writes without pause while it lives.
class Chat {
 public:
  Chat(const Engine& engine, const std::string& path)
      : model_(LoadModel(engine.get(), path)),
        session_(CreateSession(model_.get(), SPECINFER_SESSION_CONFIG_INIT)),
        thread_([this] { Write(); }) {}
  ~Chat() {
    is_over_ = true;
    specinfer_session_cancel(session_.get());
    thread_.join();
  }
  uint64_t num_tokens() const { return num_tokens_; }

 private:
  void Write() {
    constexpr char kPrompt[] = "Tell me a long story about a ship.";
    specinfer_generation_config config = SPECINFER_GENERATION_CONFIG_INIT;
    config.max_tokens = 400;
    const auto count = [](void* self, const specinfer_event* event) -> int32_t {
      Chat& chat = *static_cast<Chat*>(self);
      chat.num_tokens_ += event->num_tokens;
      return chat.is_over_ ? 1 : 0;
    };
    while (!is_over_) {
      Check(specinfer_session_truncate(session_.get(), 0));
      Check(specinfer_session_append_message(session_.get(), "user", 4, kPrompt,
                                             sizeof(kPrompt) - 1));
      const specinfer_status status =
          specinfer_session_generate(session_.get(), &config, count, this);
      if (status != SPECINFER_CANCELLED) Check(status);
    }
  }

  Model model_;
  Session session_;
  std::atomic<uint64_t> num_tokens_ = 0;
  std::atomic<bool> is_over_ = false;
  std::thread thread_;
};

std::string Offline(specinfer_transcriber* transcriber,
                    const specinfer_transcription_config& config,
                    const std::vector<float>& samples) {
  specinfer_transcription result = SPECINFER_TRANSCRIPTION_INIT;
  Check(specinfer_transcriber_transcribe(transcriber, samples.data(),
                                         samples.size(), &config, &result));
  std::string text;
  for (uint32_t i = 0; i < result.num_segments; ++i) {
    specinfer_segment segment = SPECINFER_SEGMENT_INIT;
    Check(specinfer_transcriber_get_segment(transcriber, i, &segment));
    text.append(segment.text, segment.text_length);
  }
  return text;
}

void PrintLags(const char* what, const std::vector<double>& seconds) {
  if (seconds.empty()) return;
  std::printf("  %-44s %4zu: median %.3f s, most %.3f s\n", what,
              seconds.size(), Quantile(seconds, 0.5), Quantile(seconds, 1.0));
}

void Print(const char* arm, const Figures& figures, double seconds) {
  std::printf("%s\n", arm);
  PrintLags("partial texts, behind the end of their sound", figures.partials);
  PrintLags("ends of utterances, behind the end of speech", figures.finals);
  std::printf("  in steps %.1f s of %.1f s = %.3f; samples refused: %llu\n",
              figures.step_seconds, seconds, figures.step_seconds / seconds,
              static_cast<unsigned long long>(figures.num_refused));
}

void PrintWords(const char* what, const std::string& reference,
                const std::string& text) {
  const EnglishNormalizer normalizer;
  const WordErrors errors =
      CountWordErrors(normalizer.Words(reference), normalizer.Words(text));
  std::printf("%s: %lld of %lld words differ, %.2f %%\n", what,
              static_cast<long long>(errors.total()),
              static_cast<long long>(errors.num_reference_words),
              100.0 * errors.rate());
}

void Run(const std::vector<std::string>& arguments) {
  const double seconds = std::stod(arguments[3]);
  const std::vector<float> samples =
      Join({arguments.begin() + 4, arguments.end()}, seconds);
  const double all_seconds = static_cast<double>(samples.size()) / kRate;
  const Engine engine = CreateEngine(0, "");
  const Model model = LoadModel(engine.get(), arguments[0]);
  specinfer_transcriber* handle = nullptr;
  Check(specinfer_transcriber_create(model.get(), &handle));
  const Transcriber transcriber(handle);
  specinfer_transcription_config config = SPECINFER_TRANSCRIPTION_CONFIG_INIT;
  config.language = "en";
  config.language_length = 2;
  const std::string whole = Offline(handle, config, samples);
  std::mt19937 random(2);
  std::vector<float> later = Noise(1.0, random);
  later.insert(later.end(), samples.begin(), samples.end());
  const std::string moved = Offline(handle, config, later);
  Check(specinfer_transcriber_use_voice_activity(handle, arguments[1].data(),
                                                 arguments[1].size()));
  const std::string speech = Offline(handle, config, samples);
  std::printf("%s, %.0f s of sound\n", ProcessorName().c_str(), all_seconds);
  const Figures alone = Listen(handle, config, samples);
  Print("alone", alone, all_seconds);
  PrintWords("live text beside the recording's", whole, alone.text);
  PrintWords("the recording's with voice activity beside that without", whole,
             speech);
  PrintWords("the recording's behind a second of noise beside that without",
             whole, moved);
  std::printf("peak memory %.1f MB\n",
              static_cast<double>(PeakMemoryBytes()) * 1e-6);
  CompareDecoding(model, arguments[1], config, samples);
  if (arguments[2] == "-") return;
  Figures beside;
  uint64_t num_tokens = 0;
  {
    const Chat chat(engine, arguments[2]);
    beside = Listen(handle, config, samples);
    num_tokens = chat.num_tokens();
  }
  Print("beside a session that generates", beside, all_seconds);
  std::printf("  the session writes %.0f tokens/s; the text is %s\n",
              static_cast<double>(num_tokens) / all_seconds,
              beside.text == alone.text ? "the same" : "ANOTHER");
}

}  // namespace
}  // namespace specinfer_cli

int main(int argc, char** argv) {
  if (argc < 6) {
    std::fprintf(stderr,
                 "usage: %s MODEL VOICE_ACTIVITY CHAT_MODEL|- SECONDS "
                 "FILE...\n",
                 argv[0]);
    return 2;
  }
  try {
    specinfer_cli::Run({argv + 1, argv + argc});
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "live_bench: %s\n", failure.what());
    return 1;
  }
  return 0;
}
