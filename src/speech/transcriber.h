// Recordings to text.
#ifndef SPECINFER_SRC_SPEECH_TRANSCRIBER_H_
#define SPECINFER_SRC_SPEECH_TRANSCRIBER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/session/model.h"
#include "src/speech/hotword_bias.h"
#include "src/speech/languages.h"
#include "src/speech/resampler.h"
#include "src/speech/speech_frames.h"
#include "src/speech/transcript.h"
#include "src/speech/voice_network.h"
#include "src/speech/window_decoder.h"
#include "src/speech/window_segments.h"

namespace specinfer {

struct TranscriberOptions {
  FallbackOptions fallback;
  RepetitionGuardOptions guard;
};

struct TranscriptionOptions {
  AudioFormat format;    // of the samples
  std::string language;  // a code or an English name; empty: told by the sound
  SpeechTask task = SpeechTask::kTranscribe;
  bool has_timestamps = true;
  bool has_word_times = false;  // a pass more for each window
  // What was said before prompts each window. It helps names and style, and
  // carries mistakes along.
  bool uses_previous_text = false;
  std::string initial_prompt;  // as if said before
  std::string hotwords;        // words to expect
  // Logits added to tokens that begin or continue a hotword (HotwordBias). 0:
  // hotwords prompt each window instead. Not both: a prompt makes its words so
  // likely that little more makes a model say them again and again, and it
  // changes the style of all others.
  float hotword_bias = 0.0f;
  // Candidates of each try above temperature 0; the best is kept.
  int32_t best_of = 1;
  Strategy strategy = Strategy::kAuto;  // of guessing; the text is the same
  uint64_t seed = 1;
  Urgency urgency = Urgency::kOrdinary;  // of all passes
  // Gets the share of the recording that is done; false cancels. May be empty.
  std::function<bool(float fraction)> progress;
};

struct Transcription {
  std::vector<Segment> segments;
  // Null: the model is of English alone, or nothing was heard that tells it.
  const Language* language = nullptr;
  float language_probability = 1.0f;  // 0: nothing was heard that tells it
  double audio_seconds = 0.0;
  double speech_seconds = 0.0;  // of these: all, without voice activity
  WindowTimes times;
};

// One recording at a time; Cancel from any thread.
class Transcriber {
 public:
  // Errors: FAILED_PRECONDITION (no model of speech), RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<Transcriber>> Create(
      std::shared_ptr<const Model> model, const TranscriberOptions& options);

  // From now on recordings are searched for speech first, and nothing is
  // written down where nobody speaks. Null: all is heard, as at first.
  // Errors: RESOURCE_EXHAUSTED, and the last choice stays.
  absl::Status UseVoiceActivity(std::shared_ptr<const VoiceNetwork> network) {
    return recording_->UseVoiceActivity(std::move(network));
  }

  // As WindowDecoder::UseDraftModel.
  absl::Status UseDraftModel(std::shared_ptr<const Model> draft) {
    return decoder_->UseDraftModel(std::move(draft));
  }

  // `samples`: interleaved; what is not finite is taken as 0.
  // Errors: INVALID_ARGUMENT (language, format, half a frame), UNIMPLEMENTED (a
  // build without a resampler), FAILED_PRECONDITION (words of a model whose
  // alignment heads nobody names), CANCELLED, RESOURCE_EXHAUSTED.
  absl::StatusOr<Transcription> Transcribe(absl::Span<const float> samples,
                                           const TranscriptionOptions& options);
  void Cancel() { is_cancelled_.store(true, std::memory_order_relaxed); }

  const Model& model() const { return decoder_->model(); }

  // For other work with the same memory, between recordings. What begins with
  // BeginWork is what Cancel ends.
  WindowDecoder& decoder() { return *decoder_; }
  PassControl BeginWork(Urgency urgency) {
    is_cancelled_.store(false, std::memory_order_relaxed);
    turn_.set_urgency(urgency);
    return MakeControl();
  }

 private:
  explicit Transcriber(std::unique_ptr<WindowDecoder> decoder)
      : decoder_(std::move(decoder)), turn_(*model().engine().turns) {}
  PassControl MakeControl() {
    return {.is_cancelled = &is_cancelled_, .turn = &turn_};
  }
  absl::Status Begin(absl::Span<const float> samples,
                     const TranscriptionOptions& options);
  absl::StatusOr<Transcription> TranscribeAll(
      absl::Span<const float> samples, const TranscriptionOptions& options);
  // [frames, mel_bins] of a whole window; borrowed until the next call.
  absl::Span<const float> WindowFrames(const FrameWindow& window);
  absl::Status TranscribeWindow(const FrameWindow& window,
                                Transcription* result, int64_t* next_frame);
  // Of the recording, once what comes before this frame of the speech is.
  float ShareDone(int64_t next_frame) const;
  absl::StatusOr<Token> FindLanguage(const TranscriptionOptions& options,
                                     Transcription* result);

  std::unique_ptr<WindowDecoder> decoder_;
  std::atomic<bool> is_cancelled_{false};
  Turn turn_;

  std::unique_ptr<SpeechFrames> recording_;
  std::vector<float> frames_;  // of a window
  std::vector<Token> previous_, hotwords_;
  size_t previous_start_ = 0;    // of what prompts the next window
  std::vector<Token> expected_;  // of the next window
  std::optional<HotwordBias> hotword_bias_;
  WindowRequest request_;
  bool has_word_times_ = false;
  double last_speech_end_ = 0.0;  // seconds; 0: nothing was said
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_TRANSCRIBER_H_
