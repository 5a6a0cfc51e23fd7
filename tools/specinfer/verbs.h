// One function per verb: adds the subcommand with its options; what the verb
// does is its callback, which throws Failure.
#ifndef SPECINFER_TOOLS_SPECINFER_VERBS_H_
#define SPECINFER_TOOLS_SPECINFER_VERBS_H_

#include <CLI/App.hpp>

namespace specinfer_cli {

void AddChat(CLI::App& app);
void AddGenerate(CLI::App& app);
void AddTranscribe(CLI::App& app);
void AddTokenize(CLI::App& app);
void AddBench(CLI::App& app);
void AddInspect(CLI::App& app);
void AddModels(CLI::App& app);
void AddPack(CLI::App& app);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_VERBS_H_
