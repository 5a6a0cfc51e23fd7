// How to speculate, in the words of the command line: the same everywhere.
#ifndef SPECINFER_TOOLS_SPECINFER_SPECULATION_OPTIONS_H_
#define SPECINFER_TOOLS_SPECINFER_SPECULATION_OPTIONS_H_

#include <cstdint>
#include <string>

#include "specinfer.h"
#include <CLI/App.hpp>

namespace specinfer_cli {

struct SpeculationOptions {
  std::string draft;  // a model file or a listed name; empty: none
  std::string strategy = "auto";
  std::string verifier = "match";
  std::string objective = "speed";
  uint32_t max_tree_nodes = 0;  // 0: the library's choice
  uint32_t tree_size = 0;       // 0: what pays
  uint32_t tree_depth = 0;      // 0: what pays
};
// Of them --draft and --strategy alone.
void AddStrategyOptions(CLI::App& verb, SpeculationOptions& options);
// All. Defaults shown by --help are the values `options` has now.
void AddSpeculationOptions(CLI::App& verb, SpeculationOptions& options);

// SPECINFER_STRATEGY_..., _VERIFIER_..., _OBJECTIVE_... of a word; they throw
// Failure with the words there are.
int32_t ParseStrategy(const std::string& word);
int32_t ParseVerifier(const std::string& word);
int32_t ParseObjective(const std::string& word);

// The word of SPECINFER_STRATEGY_...; "unknown" for one of a newer library.
std::string StrategyWord(int32_t strategy);

// Throws Failure when `strategy` cannot do without the draft model that
// `options` do not name.
void CheckDraft(const std::string& strategy, const SpeculationOptions& options);

// Throws Failure for what cannot be read, and for a strategy without the draft
// model it needs.
void SetSpeculation(const SpeculationOptions& options,
                    specinfer_generation_config& config);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_SPECULATION_OPTIONS_H_
