// A smaller model of speech as a drafter: it hears a window itself before its
// first guess.
#ifndef SPECINFER_SRC_SPEECH_SOUND_DRAFTER_H_
#define SPECINFER_SRC_SPEECH_SOUND_DRAFTER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/forward/encoder.h"
#include "src/session/model.h"
#include "src/speculate/model_drafter.h"
#include "src/speech/speech_tokens.h"

namespace specinfer {

// Its encoder runs once a window, when a plan first wants guesses, and counts
// as joining the text: where a window's text is too short to pay for that, the
// planner leaves it alone.
class SoundDrafter final : public Drafter {
 public:
  // For windows of the target `model`, whose `tokens` these are.
  // Errors: FAILED_PRECONDITION (no model of speech, other tokens, another
  // spectrogram, a shorter text), RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<SoundDrafter>> Create(
      std::shared_ptr<const Model> draft, const Model& model,
      const SpeechTokens& tokens, int32_t max_nodes);

  // A window begins, [frames, mel_bins], whose encoding took the target
  // `target_seconds`: what this one takes is guessed from that at first.
  void BeginWindow(absl::Span<const float> mel, double target_seconds);

  std::string_view name() const override { return drafter_->name(); }
  double PredictJoining(size_t num_tokens) const override;
  double joining_seconds() const override {
    return encoding_seconds_ + drafter_->joining_seconds();
  }
  double step_seconds() const override { return drafter_->step_seconds(); }
  absl::Status Draft(const DraftRequest& request, TokenTree* tree) override;
  void Accept(absl::Span<const Token> text, const TokenTree& tree,
              const Walk& walk, const WalkFeatures& features) override {
    drafter_->Accept(text, tree, walk, features);
    encoding_seconds_ = 0.0;
  }
  void Rollback(size_t num_tokens) override;
  bool GiveBackMemory() override { return drafter_->GiveBackMemory(); }
  // Errors: UNIMPLEMENTED: windows are not forked.
  absl::StatusOr<std::unique_ptr<Drafter>> Fork() override;

 private:
  SoundDrafter(std::shared_ptr<const Model> draft, double work_ratio)
      : draft_(std::move(draft)), work_ratio_(work_ratio) {}
  absl::Status Allocate(const SpeechTokens& tokens, int32_t max_nodes);
  absl::Status Hear(const PassControl& control);

  const std::shared_ptr<const Model> draft_;
  const double work_ratio_;           // of its encoder to the target's, about
  std::vector<uint64_t> proposable_;  // bit set over the vocabulary
  std::unique_ptr<Encoder> encoder_;
  std::shared_ptr<Sequence> memory_;  // of the sound
  std::unique_ptr<ModelDrafter> drafter_;

  // This window.
  Block frames_;
  size_t num_values_ = 0;
  bool has_heard_ = false;
  double encoding_seconds_ = 0.0;  // since the last round
  // Of one window; 0: not measured yet.
  double measured_seconds_ = 0.0;
  double predicted_seconds_ = 0.0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_SOUND_DRAFTER_H_
