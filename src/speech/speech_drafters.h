// Who guesses what is said in a window: one Speculation for each window
// decoder.
#ifndef SPECINFER_SRC_SPEECH_SPEECH_DRAFTERS_H_
#define SPECINFER_SRC_SPEECH_SPEECH_DRAFTERS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/forward/sequence.h"
#include "src/session/model.h"
#include "src/speculate/corpus.h"
#include "src/speculate/expected_drafter.h"
#include "src/speculate/speculation.h"
#include "src/speech/sound_drafter.h"
#include "src/speech/speech_tokens.h"

namespace specinfer {

// What was expected of the window; what followed the same words before, in this
// window and in all that was learnt; the decoder's first layers, for those who
// ask for them; a smaller model, where there is one.
// Not thread-safe.
class SpeechDrafters {
 public:
  // `draft` may be null. `sequence` is that of the text; all but `draft` must
  // outlive it.
  // Errors: as SoundDrafter::Create.
  static absl::StatusOr<std::unique_ptr<SpeechDrafters>> Create(
      const Model& model, const SpeechTokens& tokens,
      std::shared_ptr<const Model> draft,
      const std::unique_ptr<Sequence>& sequence, int32_t max_nodes);

  bool has_model() const { return sound_drafter_ != nullptr; }

  // A window was encoded, which took `seconds`.
  void Hear(absl::Span<const float> mel, double seconds) {
    if (has_model()) sound_drafter_->BeginWindow(mel, seconds);
  }
  // A text of it begins.
  // REQUIRES: a strategy of draft models only where has_model().
  // Errors: INVALID_ARGUMENT (a token that is none), RESOURCE_EXHAUSTED.
  absl::Status BeginText(absl::Span<const Token> expected, Strategy strategy);
  // A decoding of it, at one temperature. Null: nobody drafts.
  Speculation* BeginTry(const SharedNoise& noise);
  // A text was believed: guesses may come from it from now on.
  void Learn(absl::Span<const Token> text);

 private:
  SpeechDrafters(const Model& model, const std::unique_ptr<Sequence>& sequence,
                 int32_t max_nodes)
      : model_(model), sequence_(sequence), max_nodes_(max_nodes) {}
  absl::Status AddFree();
  absl::Status AddEarlyExit();

  const Model& model_;
  const std::unique_ptr<Sequence>& sequence_;
  const int32_t max_nodes_;
  std::unique_ptr<Speculation> speculation_;
  ExpectedDrafter* expected_drafter_ = nullptr;
  SoundDrafter* sound_drafter_ = nullptr;
  std::shared_ptr<Corpus> corpus_;
  bool has_early_exit_ = false;
  Strategy strategy_ = Strategy::kAuto;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_SPEECH_DRAFTERS_H_
