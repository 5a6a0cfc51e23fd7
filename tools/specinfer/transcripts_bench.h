// `specinfer bench --transcripts`: how many words of recordings are wrong, and
// how long writing them down takes.
#ifndef SPECINFER_TOOLS_SPECINFER_TRANSCRIPTS_BENCH_H_
#define SPECINFER_TOOLS_SPECINFER_TRANSCRIPTS_BENCH_H_

#include <vector>

#include "bench_arms.h"
#include "measurement.h"

namespace specinfer_cli {

// One row per recording (what: "transcripts") in the order of the list, and one
// of all, whose file is "all". Words are compared as English is normalised.
// Reading files is not timed. Throws Failure.
std::vector<BenchRow> MeasureTranscripts(const LoadedModel& loaded,
                                         const BenchOptions& options);

// Prints the rows of MeasureTranscripts().
void PrintTranscriptsTable(const std::vector<BenchRow>& rows);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_TRANSCRIPTS_BENCH_H_
