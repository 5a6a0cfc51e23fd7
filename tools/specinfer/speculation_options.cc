#include "speculation_options.h"

#include "failure.h"
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace specinfer_cli {
namespace {

struct Word {
  const char* text;
  int32_t value;
};

constexpr Word kStrategies[] = {
    {"off", SPECINFER_STRATEGY_OFF},
    {"auto", SPECINFER_STRATEGY_AUTO},
    {"ngram", SPECINFER_STRATEGY_NGRAM},
    {"draft", SPECINFER_STRATEGY_DRAFT},
    {"tree", SPECINFER_STRATEGY_TREE},
    {"early-exit", SPECINFER_STRATEGY_EARLY_EXIT},
};
constexpr Word kVerifiers[] = {
    {"match", SPECINFER_VERIFIER_MATCH},
    {"ratio", SPECINFER_VERIFIER_RATIO},
    {"without-replacement", SPECINFER_VERIFIER_WITHOUT_REPLACEMENT},
};
constexpr Word kObjectives[] = {
    {"speed", SPECINFER_OBJECTIVE_SPEED},
    {"energy", SPECINFER_OBJECTIVE_ENERGY},
};

template <size_t kNumWords>
int32_t Parse(const Word (&words)[kNumWords], const char* option,
              const std::string& text) {
  std::string all;
  for (const Word& word : words) {
    if (text == word.text) return word.value;
    all += (all.empty() ? "" : ", ") + std::string(word.text);
  }
  throw Failure(std::string(option) + " \"" + text + "\": there are " + all);
}

}  // namespace

void AddStrategyOptions(CLI::App& verb, SpeculationOptions& options) {
  verb.add_option("-d,--draft", options.draft,
                  "A smaller model that guesses tokens ahead: a file, or a "
                  "name from `specinfer models list`");
  verb.add_option("--strategy", options.strategy,
                  "How to guess: auto (chosen by measurement), off, ngram "
                  "(from repetitions), draft or tree (with --draft), "
                  "early-exit (by the model's first layers)")
      ->capture_default_str();
}

void AddSpeculationOptions(CLI::App& verb, SpeculationOptions& options) {
  AddStrategyOptions(verb, options);
  verb.add_option("--tree-nodes", options.max_tree_nodes,
                  "Most tokens of one speculative pass; 0: 64");
  verb.add_option("--tree-size", options.tree_size,
                  "Tokens of each speculative pass, whether they pay or not; "
                  "0: as many as pay");
  verb.add_option("--tree-depth", options.tree_depth,
                  "Most guesses in a row; 0: as many as pay");
  verb.add_option("--verifier", options.verifier,
                  "Which guesses are kept: match (the text is the same with "
                  "every strategy), ratio or without-replacement (the law is; "
                  "guesses are sampled, by --draft or early-exit)")
      ->capture_default_str();
  verb.add_option("--objective", options.objective,
                  "What auto makes the most of: speed, or energy")
      ->capture_default_str();
}

int32_t ParseStrategy(const std::string& word) {
  return Parse(kStrategies, "--strategy", word);
}

int32_t ParseVerifier(const std::string& word) {
  return Parse(kVerifiers, "--verifier", word);
}

int32_t ParseObjective(const std::string& word) {
  return Parse(kObjectives, "--objective", word);
}

std::string StrategyWord(int32_t strategy) {
  for (const Word& word : kStrategies) {
    if (word.value == strategy) return word.text;
  }
  return "unknown";
}

void CheckDraft(const std::string& strategy,
                const SpeculationOptions& options) {
  if (!options.draft.empty() || (strategy != "draft" && strategy != "tree")) {
    return;
  }
  throw Failure("--strategy " + strategy +
                " needs a model that guesses: add --draft MODEL");
}

void SetSpeculation(const SpeculationOptions& options,
                    specinfer_generation_config& config) {
  CheckDraft(options.strategy, options);
  config.strategy = ParseStrategy(options.strategy);
  config.verifier = ParseVerifier(options.verifier);
  config.objective = ParseObjective(options.objective);
  config.tree_size = options.tree_size;
  config.tree_depth = options.tree_depth;
}

}  // namespace specinfer_cli
