// Chooses what Whisper says next: its rules as questions to the head, their
// answers as tokens with log-probabilities.
#ifndef SPECINFER_SRC_SPEECH_SPEECH_CHOOSER_H_
#define SPECINFER_SRC_SPEECH_SPEECH_CHOOSER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "src/sample/token_chooser.h"
#include "src/speech/hotword_trial.h"
#include "src/speech/timestamp_rules.h"

namespace specinfer {

struct SpeechSampling {
  float temperature = 0.0f;
  uint64_t seed = 1;
  uint64_t stream = 0;
};

// Not thread-safe. Allocates when it is made, and in Begin where hotwords are
// more than ever before.
class SpeechChooser final : public TokenChooser {
 public:
  // For trees of up to `max_nodes` nodes.
  explicit SpeechChooser(int32_t max_nodes);

  // Another window, or another try of it, of which `said` is there already.
  // `rules` and `hotwords`, which may be null, must outlive its use.
  void Begin(const TimestampRules& rules, const TimestampState& state,
             const SpeechSampling& sampling, const HotwordBias* hotwords,
             absl::Span<const Token> said);

  void Ask(const ChoiceNode& node, std::vector<HeadQuery>* queries) override;
  Token Choose(int32_t node) override;

  // `token`, which was chosen at `node`, is the window's next. Returns whether
  // a hotword broke: the window then goes back to *num_kept tokens, the prompt
  // included, as if it had never gone on from there.
  bool Accept(int32_t node, Token token, size_t* num_kept);

  // Σ ln p of what was accepted, under the rules, at temperature 1 and without
  // bonuses.
  double log_probability() const { return progress_.log_probability; }

 private:
  struct Answer {
    Candidate best, drawn;
    double log_sum_exp = 0.0;
    bool was_asked = false;
  };
  struct Node {
    Answer text, timestamps;
    Answer lifted;  // text, with bonuses
    absl::Span<const Adjustment> bonuses;
    std::vector<Adjustment> own_bonuses;
    NoiseKey noise;
    double log_probability = 0.0;
    bool is_lifted = false;  // a bonus chose
  };
  // What goes back with the text.
  struct Progress {
    TimestampState state;  // at the root
    double log_probability = 0.0;
  };

  HeadQuery AskPart(const ChoiceNode& node, const NoiseKey& noise,
                    absl::Span<const uint64_t> allowed, Answer* answer) const;
  void Lift(Node* asked, SpeechChoice* choice) const;
  SpeechAnswer Read(const Answer& answer) const;
  float InverseTemperature() const;

  const TimestampRules* rules_ = nullptr;
  SpeechSampling sampling_;
  Progress progress_;
  Progress before_trial_;
  HotwordTrial trial_;
  std::vector<Node> nodes_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_SPEECH_CHOOSER_H_
