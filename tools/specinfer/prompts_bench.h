// `specinfer bench --prompts`: answers to real prompts, with each strategy in
// turn, beside plain decoding.
//
// A ratio to `off` compares seconds of decoding: guessing and the draft model's
// reading of the prompt included, the model's own reading of it not. Each
// answer has a session of its own, so that no index, cache or acceptance of an
// earlier one helps it.
#ifndef SPECINFER_TOOLS_SPECINFER_PROMPTS_BENCH_H_
#define SPECINFER_TOOLS_SPECINFER_PROMPTS_BENCH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench_arms.h"
#include "prompt_list.h"

namespace specinfer_cli {

// What one strategy made of one prompt.
struct StrategyResult {
  std::vector<double> seconds;          // of decoding, one per repeat
  std::vector<specinfer_token> tokens;  // of the first repeat
  uint64_t num_tokens = 0;              // of all repeats
  uint64_t num_rounds = 0;
  std::string plan;                          // of the last round
  std::optional<size_t> differing_position;  // where it leaves off's text

  double Seconds() const;  // the median; 0: not measurable
};

struct PromptResult {
  Prompt prompt;
  uint64_t num_prompt_tokens = 0;
  std::vector<StrategyResult> strategies;  // in the order of the options
};

// Throws Failure.
std::vector<PromptResult> MeasurePrompts(const LoadedModel& loaded,
                                         const BenchOptions& options);

// Throws Failure that names the first text that differs from off's, if any
// does. Nothing is promised, and nothing thrown, unless the verifier is match.
void CheckSameText(const std::vector<PromptResult>& results,
                   const BenchOptions& options);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_PROMPTS_BENCH_H_
