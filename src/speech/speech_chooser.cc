#include "src/speech/speech_chooser.h"

#include <algorithm>

namespace specinfer {

SpeechChooser::SpeechChooser(int32_t max_nodes)
    : nodes_(static_cast<size_t>(max_nodes)) {}

void SpeechChooser::Begin(const TimestampRules& rules,
                          const TimestampState& state,
                          const SpeechSampling& sampling,
                          const HotwordBias* hotwords,
                          absl::Span<const Token> said) {
  rules_ = &rules;
  sampling_ = sampling;
  progress_ = {.state = state};
  trial_.Begin(hotwords, said);
  for (Node& node : nodes_) {
    node.lifted.was_asked = false;
    if (hotwords != nullptr) node.own_bonuses.reserve(hotwords->max_bonuses());
  }
}

float SpeechChooser::InverseTemperature() const {
  return sampling_.temperature > 0.0f ? 1.0f / sampling_.temperature : 0.0f;
}

void SpeechChooser::Ask(const ChoiceNode& node,
                        std::vector<HeadQuery>* queries) {
  TimestampState state = progress_.state;
  for (const Token token : node.path) state = rules_->Advance(state, token);
  const AllowedSpeech allowed = rules_->Allowed(state);
  Node& asked = nodes_[static_cast<size_t>(node.index)];
  asked.noise = {.seed = sampling_.seed,
                 .stream = sampling_.stream,
                 .position = node.position};
  asked.text.was_asked = allowed.has_text;
  asked.timestamps.was_asked = allowed.has_timestamps;
  if (allowed.has_text)
    queries->push_back(AskPart(node, asked.noise, allowed.text, &asked.text));
  if (allowed.has_timestamps)
    queries->push_back(
        AskPart(node, asked.noise, allowed.timestamps, &asked.timestamps));
  if (trial_.bias() == nullptr) return;
  asked.bonuses = trial_.Bonuses(node.path, node.position, &asked.own_bonuses);
  asked.lifted.was_asked = allowed.has_text && !asked.bonuses.empty();
  if (!asked.lifted.was_asked) return;
  queries->push_back(AskPart(node, asked.noise, allowed.text, &asked.lifted));
  queries->back().adjustments = asked.bonuses;
}

HeadQuery SpeechChooser::AskPart(const ChoiceNode& node, const NoiseKey& noise,
                                 absl::Span<const uint64_t> allowed,
                                 Answer* answer) const {
  HeadQuery query = {.row = node.row,
                     .allowed = allowed,
                     .top = absl::MakeSpan(&answer->best, 1),
                     .log_sum_exp = &answer->log_sum_exp};
  if (sampling_.temperature > 0.0f) {
    query.arg_max = &answer->drawn;
    query.has_noise = true;
    query.inverse_temperature = InverseTemperature();
    query.noise = noise;
  }
  return query;
}

SpeechAnswer SpeechChooser::Read(const Answer& answer) const {
  if (!answer.was_asked) return {.best = {.token = -1}, .drawn = {.token = -1}};
  return {.best = answer.best,
          .drawn = sampling_.temperature > 0.0f ? answer.drawn : answer.best,
          .log_sum_exp = answer.log_sum_exp};
}

Token SpeechChooser::Choose(int32_t node) {
  Node& asked = nodes_[static_cast<size_t>(node)];
  SpeechChoice choice =
      ChooseSpeechToken(Read(asked.text), Read(asked.timestamps),
                        InverseTemperature(), asked.noise);
  asked.is_lifted = false;
  if (asked.lifted.was_asked) Lift(&asked, &choice);
  asked.log_probability = choice.log_probability;
  return choice.token;
}

// Where a word is chosen, a bonus may choose another. The end of the text and
// times stay where the model puts them, or hotwords would be heard in silence.
void SpeechChooser::Lift(Node* asked, SpeechChoice* choice) const {
  const Candidate lifted = Read(asked->lifted).drawn;
  if (lifted.token < 0 || lifted.token == choice->token ||
      !trial_.bias()->IsWord(choice->token))
    return;
  const auto bonus = std::lower_bound(
      asked->bonuses.begin(), asked->bonuses.end(), lifted.token,
      [](const Adjustment& a, Token token) { return a.token < token; });
  asked->is_lifted = true;
  choice->token = lifted.token;
  choice->log_probability += static_cast<double>(lifted.logit) -
                             static_cast<double>(bonus->bias) -
                             static_cast<double>(Read(asked->text).drawn.logit);
}

bool SpeechChooser::Accept(int32_t node, Token token, size_t* num_kept) {
  const Node& accepted = nodes_[static_cast<size_t>(node)];
  if (!trial_.is_on()) before_trial_ = progress_;
  progress_.log_probability += accepted.log_probability;
  progress_.state = rules_->Advance(progress_.state, token);
  int64_t position = accepted.noise.position;
  if (!trial_.Accept(token, accepted.is_lifted, &position)) return false;
  progress_ = before_trial_;
  *num_kept = static_cast<size_t>(position);
  return true;
}

}  // namespace specinfer
