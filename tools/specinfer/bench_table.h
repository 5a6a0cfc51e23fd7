// The rows of `specinfer bench` for a terminal.
#ifndef SPECINFER_TOOLS_SPECINFER_BENCH_TABLE_H_
#define SPECINFER_TOOLS_SPECINFER_BENCH_TABLE_H_

#include <vector>

#include "measurement.h"

namespace specinfer_cli {

// One line each; below, the machine's rates that all bounds come from.
void PrintTable(const std::vector<BenchRow>& rows);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_BENCH_TABLE_H_
