// The page of `generate --explain`: how an answer was made, round by round.
#ifndef SPECINFER_TOOLS_SPECINFER_EXPLAIN_PAGE_H_
#define SPECINFER_TOOLS_SPECINFER_EXPLAIN_PAGE_H_

#include <string>
#include <vector>

#include "answer.h"
#include "round_recorder.h"
#include "specinfer/speculation.h"

namespace specinfer_cli {

struct ExplainedAnswer {
  const specinfer_model* model;
  std::string model_name;
  std::string draft_name;  // empty: none
  std::string prompt;
  std::string strategy;  // that was asked for
  std::string verifier;
  std::string backend;
  uint32_t num_threads;
  double temperature;
  uint64_t seed;
  const Answer& answer;
  const std::vector<RecordedRound>& rounds;
  const specinfer_speculation_statistics& statistics;
};

// One HTML file that needs nothing else. Throws Failure.
void WriteExplainPage(const std::string& path,
                      const ExplainedAnswer& explained);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_EXPLAIN_PAGE_H_
