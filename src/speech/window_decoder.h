// One window of speech: encodes its frames, then writes down what is said in
// it, with tries at higher temperatures where a text is not believed.
#ifndef SPECINFER_SRC_SPEECH_WINDOW_DECODER_H_
#define SPECINFER_SRC_SPEECH_WINDOW_DECODER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/forward/encoder.h"
#include "src/session/generator.h"
#include "src/session/model.h"
#include "src/speculate/planner.h"
#include "src/speech/fallback.h"
#include "src/speech/hotword_bias.h"
#include "src/speech/repetition_guard.h"
#include "src/speech/speech_chooser.h"
#include "src/speech/speech_drafters.h"
#include "src/speech/speech_prompt.h"
#include "src/speech/speech_tokens.h"
#include "src/speech/timestamp_rules.h"
#include "src/speech/token_aligner.h"

namespace specinfer {

struct WindowRequest {
  SpeechPromptOptions prompt;
  // What the text may turn out to be: guesses, which never change it.
  absl::Span<const Token> expected;
  Strategy strategy = Strategy::kAuto;
  uint64_t seed = 1;
  uint64_t stream = 0;  // of the window, as CandidateStream has it
  // Of each try above temperature 0: how many candidates, of which the best is
  // kept (Fallback).
  int32_t best_of = 1;
  // Gets bonuses in the text; null: none.
  const HotwordBias* hotwords = nullptr;
  // Whatever comes of it, there is no try at a higher temperature.
  bool tries_once = false;
  // Of sampled tokens; as many as there is room for, at most.
  int32_t max_tokens = INT32_MAX;
};

// Where the time of a window went.
struct WindowTimes {
  int64_t encode_us = 0;
  int64_t decode_us = 0;
  int64_t num_rounds = 0;
  int64_t num_tokens = 0;

  void Add(const WindowTimes& other) {
    encode_us += other.encode_us;
    decode_us += other.decode_us;
    num_rounds += other.num_rounds;
    num_tokens += other.num_tokens;
  }
};

// Not thread-safe. Nothing is kept from one window to the next but memory.
//
// A call that returns DEADLINE_EXCEEDED has stopped in the middle; the same
// call with the same arguments goes on. Before any other, Abandon it. Any other
// error gives the call up, and what was encoded stays.
class WindowDecoder {
 public:
  // Errors: FAILED_PRECONDITION (no model of speech), RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<WindowDecoder>> Create(
      std::shared_ptr<const Model> model, const FallbackOptions& fallback,
      const RepetitionGuardOptions& guard);

  // From now on a smaller model of speech may guess; null: none, as at first.
  // Errors: as SoundDrafter::Create, and the last choice stays.
  absl::Status UseDraftModel(std::shared_ptr<const Model> draft);

  // Errors: INVALID_ARGUMENT (no draft model for this).
  absl::Status CheckStrategy(Strategy strategy) const;

  const SpeechTokens& tokens() const { return tokens_; }
  const Model& model() const { return *model_; }
  int32_t max_frames() const { return encoder_->max_frames(); }

  // Encodes [frames, mel_bins], an even number of frames up to max_frames().
  absl::Status Encode(absl::Span<const float> mel, const PassControl& control);

  bool is_encoding() const { return encoder_->is_paused(); }

  // The likeliest language of what was encoded; null for English-only models.
  absl::StatusOr<const Language*> DetectLanguage(float* probability,
                                                 const PassControl& control);

  // Writes down what was encoded. The result lives until the next call.
  absl::StatusOr<const DecodedWindow*> Decode(const WindowRequest& request,
                                              const PassControl& control);
  // A text was believed: guesses may come from it from now on.
  void Learn(absl::Span<const Token> text) { drafters_->Learn(text); }

  // Gives up a call that stopped in the middle; what was encoded before stays.
  void Abandon();
  bool IsSilence() const { return fallback_.IsSilence(); }
  bool ResetsPrompt() const { return fallback_.ResetsPrompt(); }

  // When each token is said of a text that was decoded from what was encoded.
  // As TokenAligner::Align; it never stops at a deadline.
  absl::StatusOr<TokenTimes> Align(const AlignmentRequest& request,
                                   const PassControl& control);
  absl::Status CheckAlignmentHeads() const { return aligner_.CheckHeads(); }

  const WindowTimes& times() const { return times_; }

 private:
  WindowDecoder(std::shared_ptr<const Model> model, SpeechTokens tokens,
                const FallbackOptions& fallback,
                const RepetitionGuardOptions& guard);
  absl::Status Allocate();
  absl::Status BeginWindow(const WindowRequest& request);
  absl::Status Advance(const WindowRequest& request,
                       const PassControl& control);
  // Feeds the prompt but for its last token.
  absl::Status ReadPrompt(const PassControl& control);
  // One decoding, at one temperature.
  void BeginTry(const WindowRequest& request, float temperature);
  absl::Status RunTry(const PassControl& control);
  void EndTry();
  void TakeTokens(const Walk& walk);
  // To the first tokens of the text.
  void GoBack(size_t num_kept);

  const std::shared_ptr<const Model> model_;
  const SpeechTokens tokens_;
  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<Generator> generator_;
  std::unique_ptr<Sequence> sequence_;        // of the text
  std::shared_ptr<Sequence> memory_;          // of the sound
  const TimestampRules rules_, plain_rules_;  // with timestamps, without
  SpeechChooser chooser_;
  std::unique_ptr<SpeechDrafters> drafters_;
  Lane lane_;
  Fallback fallback_;
  RepetitionGuard guard_;
  TokenAligner aligner_;

  // Where the call stands that stopped in the middle, but for the encoder.
  enum class Stage { kNone, kLanguage, kPrompt, kBetweenTries, kTry };
  Stage stage_ = Stage::kNone;

  // This window.
  SpeechPrompt prompt_;
  float no_speech_score_ = 0.0f;
  double start_log_sum_exp_ = 0.0;  // where no_speech_score_ was asked
  std::vector<Token> text_;         // the prompt, then what is said
  DecodedWindow decoded_;
  bool has_ended_ = false;
  int32_t num_sampled_ = 0;  // tokens of this try
  int32_t max_sampled_ = 0;
  double usual_tokens_;  // sampled in a window, of late
  WindowTimes times_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_WINDOW_DECODER_H_
