// What `specinfer bench --prompts` found: rows for programs, a table for
// people.
#ifndef SPECINFER_TOOLS_SPECINFER_PROMPTS_REPORT_H_
#define SPECINFER_TOOLS_SPECINFER_PROMPTS_REPORT_H_

#include <vector>

#include "measurement.h"
#include "prompts_bench.h"

namespace specinfer_cli {

// One row per strategy and category (what: "prompts"), the last category being
// "all", whose ratio is the mean of the categories'; and, when token ids are
// asked for, one per strategy and prompt (what: "prompt").
std::vector<BenchRow> PromptsRows(const std::vector<PromptResult>& results,
                                  const BenchOptions& options);

// Prints the rows of PromptsRows().
void PrintPromptsTable(const std::vector<BenchRow>& rows);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_PROMPTS_REPORT_H_
