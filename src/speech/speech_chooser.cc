#include "src/speech/speech_chooser.h"

namespace specinfer {

SpeechChooser::SpeechChooser(int32_t max_nodes)
    : nodes_(static_cast<size_t>(max_nodes)) {}

void SpeechChooser::Begin(const TimestampRules& rules,
                          const TimestampState& state,
                          const SpeechSampling& sampling) {
  rules_ = &rules;
  state_ = state;
  sampling_ = sampling;
  log_probability_ = 0.0;
}

float SpeechChooser::InverseTemperature() const {
  return sampling_.temperature > 0.0f ? 1.0f / sampling_.temperature : 0.0f;
}

void SpeechChooser::Ask(const ChoiceNode& node,
                        std::vector<HeadQuery>* queries) {
  TimestampState state = state_;
  for (const Token token : node.path) state = rules_->Advance(state, token);
  const AllowedSpeech allowed = rules_->Allowed(state);
  Node& asked = nodes_[static_cast<size_t>(node.index)];
  asked.noise = {.seed = sampling_.seed,
                 .stream = sampling_.stream,
                 .position = node.position};
  asked.text.was_asked = allowed.has_text;
  asked.timestamps.was_asked = allowed.has_timestamps;
  if (allowed.has_text)
    AskPart(node, asked.noise, allowed.text, &asked.text, queries);
  if (allowed.has_timestamps)
    AskPart(node, asked.noise, allowed.timestamps, &asked.timestamps, queries);
}

void SpeechChooser::AskPart(const ChoiceNode& node, const NoiseKey& noise,
                            absl::Span<const uint64_t> allowed, Answer* answer,
                            std::vector<HeadQuery>* queries) const {
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
  queries->push_back(query);
}

SpeechAnswer SpeechChooser::Read(const Answer& answer) const {
  if (!answer.was_asked) return {.best = {.token = -1}, .drawn = {.token = -1}};
  return {.best = answer.best,
          .drawn = sampling_.temperature > 0.0f ? answer.drawn : answer.best,
          .log_sum_exp = answer.log_sum_exp};
}

Token SpeechChooser::Choose(int32_t node) {
  Node& asked = nodes_[static_cast<size_t>(node)];
  const SpeechChoice choice =
      ChooseSpeechToken(Read(asked.text), Read(asked.timestamps),
                        InverseTemperature(), asked.noise);
  asked.log_probability = choice.log_probability;
  return choice.token;
}

void SpeechChooser::Accept(int32_t node, Token token) {
  log_probability_ += nodes_[static_cast<size_t>(node)].log_probability;
  state_ = rules_->Advance(state_, token);
}

}  // namespace specinfer
