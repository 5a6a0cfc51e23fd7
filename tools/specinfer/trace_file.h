// The rounds of an answer as a trace that Perfetto (ui.perfetto.dev) and
// chrome://tracing draw.
#ifndef SPECINFER_TOOLS_SPECINFER_TRACE_FILE_H_
#define SPECINFER_TOOLS_SPECINFER_TRACE_FILE_H_

#include <string>
#include <vector>

#include "round_recorder.h"

namespace specinfer_cli {

// One event per round on the track "rounds", its stages on the track "stages"
// at the same times, and counters. Throws Failure.
void WriteTrace(const std::string& path,
                const std::vector<RecordedRound>& rounds);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_TRACE_FILE_H_
