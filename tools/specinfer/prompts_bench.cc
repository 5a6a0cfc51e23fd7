#include "prompts_bench.h"

#include <algorithm>

#include "answer.h"
#include "failure.h"
#include "progress_bar.h"
#include "speculation_report.h"

namespace specinfer_cli {
namespace {

// Enough to touch every weight of both models, and to guess a few times.
constexpr uint32_t kWarmUpTokens = 16;

// No pass is interrupted, as in specinfer_session_generate().
constexpr uint64_t kWholeRound = 0;

std::vector<specinfer_token> StepThrough(specinfer_session* session,
                                         const std::string& where) {
  std::vector<specinfer_token> tokens;
  specinfer_event event = SPECINFER_EVENT_INIT;
  while (event.state != SPECINFER_STEP_DONE) {
    Check(specinfer_session_step(session, kWholeRound, &event), where);
    for (size_t i = 0; i < event.num_tokens; ++i) {
      tokens.push_back(TokenAt(event, i).token);
    }
  }
  return tokens;
}

size_t FirstDifference(const std::vector<specinfer_token>& a,
                       const std::vector<specinfer_token>& b) {
  return static_cast<size_t>(
      std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

class PromptsRun {
 public:
  PromptsRun(const LoadedModel& loaded, const BenchOptions& options)
      : loaded_(loaded),
        options_(options),
        has_chat_template_(
            GetProperties(loaded.model.get()).has_chat_template != 0) {
    config_.temperature = static_cast<float>(options.prompts.temperature);
    config_.seed = options.prompts.seed;
    SetSpeculation(options.speculation, config_);
    for (const std::string& strategy : options.prompts.strategies) {
      strategies_.push_back(ParseStrategy(strategy));
    }
  }

  void WarmUp(const Prompt& prompt) {
    PromptResult result = MakeResult(prompt);
    for (size_t i = 0; i < strategies_.size(); ++i) {
      Answer(i, kWarmUpTokens, result);
    }
  }

  PromptResult MakeResult(const Prompt& prompt) const {
    PromptResult result;
    result.prompt = prompt;
    result.strategies.resize(strategies_.size());
    return result;
  }

  // One answer with a session of its own.
  void Answer(size_t index, uint32_t max_tokens, PromptResult& result) {
    specinfer_session_config session_config =
        SessionConfig(loaded_, options_.speculation, options_.cache_type);
    session_config.max_context_tokens = options_.num_context_tokens;
    const Session session = CreateSession(loaded_.model.get(), session_config);
    SetPrompt(session.get(), result.prompt.text);
    config_.strategy = strategies_[index];
    config_.max_tokens = max_tokens;
    const std::string where = "prompt " + Describe(result.prompt);
    Check(specinfer_session_start(session.get(), &config_), where);
    result.num_prompt_tokens = GetStatistics(session.get()).num_context_tokens;
    Record(session.get(), StepThrough(session.get(), where),
           result.strategies[index]);
  }

 private:
  void SetPrompt(specinfer_session* session, const std::string& text) const {
    Check(has_chat_template_
              ? specinfer_session_append_message(session, "user", 4,
                                                 text.data(), text.size())
              : specinfer_session_set_prompt(session, text.data(), text.size(),
                                             SPECINFER_TEXT_ADD_BOS,
                                             /*out_num_kept_tokens=*/nullptr));
  }

  static void Record(specinfer_session* session,
                     std::vector<specinfer_token> tokens,
                     StrategyResult& mine) {
    const specinfer_session_statistics statistics = GetStatistics(session);
    mine.seconds.push_back(1e-6 *
                           static_cast<double>(statistics.decode_microseconds));
    mine.num_tokens += tokens.size();
    mine.num_rounds += statistics.num_rounds;
    mine.plan = StrategyWord(GetSpeculation(session).strategy);
    if (mine.seconds.size() == 1) {
      mine.tokens = std::move(tokens);
    } else if (tokens != mine.tokens && !mine.differing_position) {
      mine.differing_position = FirstDifference(tokens, mine.tokens);
    }
  }

  const LoadedModel& loaded_;
  const BenchOptions& options_;
  const bool has_chat_template_;
  specinfer_generation_config config_ = SPECINFER_GENERATION_CONFIG_INIT;
  std::vector<int32_t> strategies_;
};

// Index of plain decoding among the strategies.
size_t IndexOfOff(const BenchOptions& options) {
  const std::vector<std::string>& all = options.prompts.strategies;
  const auto found = std::find(all.begin(), all.end(), "off");
  if (found == all.end()) {
    throw Failure("--strategies needs off: the others are compared with it");
  }
  return static_cast<size_t>(found - all.begin());
}

void CompareWithOff(size_t off, PromptResult& result) {
  const std::vector<specinfer_token>& expected = result.strategies[off].tokens;
  for (StrategyResult& strategy : result.strategies) {
    if (strategy.tokens == expected || strategy.differing_position) continue;
    strategy.differing_position = FirstDifference(strategy.tokens, expected);
  }
}

std::vector<Prompt> ReadAllPrompts(const PromptsOptions& options) {
  std::vector<Prompt> prompts;
  for (const std::string& file : options.files) {
    for (Prompt& prompt : ReadPrompts(file, options.selection)) {
      prompts.push_back(std::move(prompt));
    }
  }
  return prompts;
}

}  // namespace

double StrategyResult::Seconds() const { return Quantile(seconds, 0.5); }

std::vector<PromptResult> MeasurePrompts(const LoadedModel& loaded,
                                         const BenchOptions& options) {
  const size_t off = IndexOfOff(options);
  const std::vector<Prompt> prompts = ReadAllPrompts(options.prompts);
  PromptsRun run(loaded, options);
  ProgressBar bar("answering");
  bar.Show(0, "warming up");
  run.WarmUp(prompts.front());
  const size_t num_strategies = options.prompts.strategies.size();
  const size_t num_answers =
      prompts.size() * options.num_repeats * num_strategies;
  size_t num_done = 0;
  std::vector<PromptResult> results;
  for (const Prompt& prompt : prompts) {
    PromptResult result = run.MakeResult(prompt);
    for (uint32_t repeat = 0; repeat < options.num_repeats; ++repeat) {
      // Each time another strategy is the first.
      const size_t first = num_done / num_strategies;
      for (size_t i = 0; i < num_strategies; ++i) {
        run.Answer((first + i) % num_strategies, options.prompts.max_tokens,
                   result);
        bar.Show(
            static_cast<double>(++num_done) / static_cast<double>(num_answers),
            "prompt " + Describe(prompt));
      }
    }
    CompareWithOff(off, result);
    results.push_back(std::move(result));
  }
  return results;
}

void CheckSameText(const std::vector<PromptResult>& results,
                   const BenchOptions& options) {
  if (options.speculation.verifier != "match") return;
  size_t num_different = 0;
  std::string first;
  for (const PromptResult& result : results) {
    for (size_t i = 0; i < result.strategies.size(); ++i) {
      const auto& position = result.strategies[i].differing_position;
      if (!position || ++num_different > 1) continue;
      first = "prompt " + Describe(result.prompt) + ": strategy " +
              options.prompts.strategies[i] + " differs from off at position " +
              std::to_string(*position);
    }
  }
  if (num_different == 0) return;
  throw Failure(first +
                "; texts that differ: " + std::to_string(num_different));
}

}  // namespace specinfer_cli
