// Chooses what Whisper says next: its rules as questions to the head, their
// answers as tokens with log-probabilities.
#ifndef SPECINFER_SRC_SPEECH_SPEECH_CHOOSER_H_
#define SPECINFER_SRC_SPEECH_SPEECH_CHOOSER_H_

#include <cstdint>
#include <vector>

#include "src/sample/token_chooser.h"
#include "src/speech/timestamp_rules.h"

namespace specinfer {

struct SpeechSampling {
  float temperature = 0.0f;
  uint64_t seed = 1;
  uint64_t stream = 0;
};

// Not thread-safe. Allocates only when it is made.
class SpeechChooser final : public TokenChooser {
 public:
  // For trees of up to `max_nodes` nodes.
  explicit SpeechChooser(int32_t max_nodes);

  // Another window, or another try of it. `rules` must outlive its use.
  void Begin(const TimestampRules& rules, const TimestampState& state,
             const SpeechSampling& sampling);

  void Ask(const ChoiceNode& node, std::vector<HeadQuery>* queries) override;
  Token Choose(int32_t node) override;

  // `token`, which was chosen at `node`, is the window's now.
  void Accept(int32_t node, Token token);

  // Σ ln p of what was accepted, under the rules, at temperature 1.
  double log_probability() const { return log_probability_; }

 private:
  struct Answer {
    Candidate best, drawn;
    double log_sum_exp = 0.0;
    bool was_asked = false;
  };
  struct Node {
    Answer text, timestamps;
    NoiseKey noise;
    double log_probability = 0.0;
  };

  void AskPart(const ChoiceNode& node, const NoiseKey& noise,
               absl::Span<const uint64_t> allowed, Answer* answer,
               std::vector<HeadQuery>* queries) const;
  SpeechAnswer Read(const Answer& answer) const;
  float InverseTemperature() const;

  const TimestampRules* rules_ = nullptr;
  TimestampState state_;  // at the root
  SpeechSampling sampling_;
  double log_probability_ = 0.0;
  std::vector<Node> nodes_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_SPEECH_CHOOSER_H_
