#include "answer.h"

#include <cstdio>

#include "failure.h"
#include "handles.h"
#include "progress_bar.h"

namespace specinfer_cli {
namespace {

// Of reading: long enough to cost nothing, short enough for a progress bar.
constexpr uint64_t kReadMicroseconds = 50'000;
// Of writing: a round at a time, as in specinfer_session_generate().
constexpr uint64_t kWholeRound = 0;

const char* FinishName(int32_t finish) {
  switch (finish) {
    case SPECINFER_FINISH_END:
      return "end";
    case SPECINFER_FINISH_STOP_STRING:
      return "stop_string";
    case SPECINFER_FINISH_MAX_TOKENS:
      return "max_tokens";
    case SPECINFER_FINISH_CONTEXT:
      return "context";
    case SPECINFER_FINISH_CALLBACK:
      return "callback";
    default:
      return "unknown";
  }
}

void Collect(const specinfer_event& event,
             const specinfer_generation_config& config, Answer& answer) {
  answer.text.append(event.text_length == 0 ? "" : event.text,
                     event.text_length);
  for (size_t i = 0; i < event.num_tokens; ++i) {
    const specinfer_generated_token& token = TokenAt(event, i);
    answer.tokens.push_back(token.token);
    if (config.want_log_probabilities == 0) continue;
    answer.log_probabilities.push_back(token.log_probability);
    std::vector<TokenProbability>& alternatives =
        answer.alternatives.emplace_back();
    for (size_t k = 0; k < token.num_alternatives; ++k) {
      alternatives.push_back(
          {token.alternatives[k].token, token.alternatives[k].log_probability});
    }
  }
}

void Stream(const specinfer_event& event, ProgressBar& bar) {
  if (event.text_length == 0) return;
  bar.Clear();
  std::fwrite(event.text, 1, event.text_length, stdout);
  std::fflush(stdout);
}

// Steps until the answer is done; `answer` gets the reason.
void StepThrough(specinfer_session* session,
                 const specinfer_generation_config& config, bool streams,
                 const Interrupt& interrupt, Answer& answer) {
  ProgressBar bar("reading the prompt");
  bool is_reading = true;
  while (true) {
    specinfer_event event = SPECINFER_EVENT_INIT;
    const specinfer_status status = specinfer_session_step(
        session, is_reading ? kReadMicroseconds : kWholeRound, &event);
    if (status == SPECINFER_CANCELLED) {
      answer.finish_reason = "cancelled";
      return;
    }
    Check(status);
    Collect(event, config, answer);
    if (streams) Stream(event, bar);
    if (event.state == SPECINFER_STEP_DONE) {
      answer.finish_reason = FinishName(event.finish);
      return;
    }
    if (interrupt.Happened()) {  // between two steps
      answer.finish_reason = "cancelled";
      return;
    }
    is_reading = event.num_prefilled_tokens < event.num_prompt_tokens;
    if (is_reading) {
      bar.Show(static_cast<double>(event.num_prefilled_tokens) /
                   event.num_prompt_tokens,
               std::to_string(event.num_prefilled_tokens) + "/" +
                   std::to_string(event.num_prompt_tokens) + " tokens");
    }
  }
}

}  // namespace

double Answer::TokensPerSecond() const {
  return decode_seconds > 0
             ? static_cast<double>(tokens.size()) / decode_seconds
             : 0;
}

double Answer::TokensPerRound() const {
  return num_rounds > 0 ? static_cast<double>(tokens.size()) /
                              static_cast<double>(num_rounds)
                        : 0;
}

Answer MakeAnswer(specinfer_session* session,
                  const specinfer_generation_config& config,
                  const AnswerOptions& options, Interrupt& interrupt) {
  interrupt.Watch(session);
  struct Unwatch {
    Interrupt& interrupt;
    ~Unwatch() { interrupt.Watch(nullptr); }
  } unwatch{interrupt};

  Answer answer;
  Check(options.regenerates ? specinfer_session_regenerate(session, &config)
                            : specinfer_session_start(session, &config));
  const specinfer_session_statistics before = GetStatistics(session);
  answer.num_prompt_tokens = before.num_context_tokens;
  StepThrough(session, config, options.streams, interrupt, answer);
  const specinfer_session_statistics after = GetStatistics(session);
  answer.num_rounds = after.num_rounds - before.num_rounds;
  answer.prefill_seconds =
      1e-6 * static_cast<double>(after.prefill_microseconds -
                                 before.prefill_microseconds);
  answer.decode_seconds =
      1e-6 * static_cast<double>(after.decode_microseconds -
                                 before.decode_microseconds);
  return answer;
}

const specinfer_generated_token& TokenAt(const specinfer_event& event,
                                         size_t index) {
  return *reinterpret_cast<const specinfer_generated_token*>(
      reinterpret_cast<const char*>(event.tokens) + index * event.token_size);
}

std::string Summary(const Answer& answer) {
  char line[160];
  std::snprintf(line, sizeof(line),
                "%zu tokens, %.1f tokens/s; %llu prompt tokens in %.2f s",
                answer.tokens.size(), answer.TokensPerSecond(),
                static_cast<unsigned long long>(answer.num_prompt_tokens),
                answer.prefill_seconds);
  std::string text = line;
  if (answer.TokensPerRound() > 1.001) {
    std::snprintf(line, sizeof(line), "; %.2f tokens per round",
                  answer.TokensPerRound());
    text += line;
  }
  return text;
}

}  // namespace specinfer_cli
