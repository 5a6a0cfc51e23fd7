// What became of the guesses.
#ifndef SPECINFER_SRC_SPECULATE_STATISTICS_H_
#define SPECINFER_SRC_SPECULATE_STATISTICS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "src/speculate/planner.h"

namespace specinfer {

inline constexpr size_t kNumDepthCounters = 32;

// Counts nodes. Reached: the parent was accepted.
struct DrafterStatistics {
  std::string_view name;
  uint64_t num_drafts = 0;  // rounds it was asked in
  uint64_t num_proposed = 0;
  uint64_t num_reached = 0;
  uint64_t num_accepted = 0;
  uint64_t num_errors = 0;
  uint64_t draft_us = 0;
};

struct SpeculationStatistics {
  uint64_t num_rounds = 0;
  uint64_t num_tokens = 0;
  uint64_t num_speculative_rounds = 0;  // of more than one node
  uint64_t draft_us = 0;
  uint64_t forward_us = 0;
  uint64_t verify_us = 0;
  uint64_t commit_us = 0;
  // [d]: nodes at depth d + 1; the last one counts all deeper ones too.
  std::array<uint64_t, kNumDepthCounters> reached_by_depth = {};
  std::array<uint64_t, kNumDepthCounters> accepted_by_depth = {};
  std::vector<DrafterStatistics> drafters;  // by DraftSource
  Strategy strategy = Strategy::kOff;       // of the last round
  uint32_t num_plan_changes = 0;
  uint32_t last_tree_nodes = 1;
  absl::Status last_error;  // of a draft
  double predicted_gain = 0.0;
  double realised_gain = 0.0;
  double plain_seconds = 0.0;  // of a round of plain decoding; 0: not known
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_STATISTICS_H_
