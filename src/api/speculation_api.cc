// What became of a session's guesses: in numbers, and round by round.
#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "include/specinfer/speculation.h"
#include "src/api/session_handle.h"
#include "src/api/sized_struct.h"
#include "src/base/status_macros.h"
#include "src/session/session.h"

namespace specinfer {
namespace {

constexpr SizedStruct kStatistics = {
    "specinfer_speculation_statistics", "out_statistics",
    "SPECINFER_SPECULATION_STATISTICS_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_speculation_statistics, tokens_per_second)};
static_assert(kNumDepthCounters == SPECINFER_MAX_DEPTHS);

template <size_t kSize>
void CopyText(std::string_view text, char (&out)[kSize]) {
  out[text.copy(out, kSize - 1)] = '\0';
}

specinfer_drafter_statistics ToC(const DrafterStatistics& from) {
  specinfer_drafter_statistics to = {};
  CopyText(from.name, to.name);
  to.num_drafts = from.num_drafts;
  to.num_proposed = from.num_proposed;
  to.num_reached = from.num_reached;
  to.num_accepted = from.num_accepted;
  to.num_errors = from.num_errors;
  to.microseconds = from.draft_us;
  return to;
}

specinfer_speculation_statistics ToC(const SpeculationStatistics& from) {
  specinfer_speculation_statistics to = SPECINFER_SPECULATION_STATISTICS_INIT;
  to.num_rounds = from.num_rounds;
  to.num_tokens = from.num_tokens;
  to.num_speculative_rounds = from.num_speculative_rounds;
  to.draft_microseconds = from.draft_us;
  to.forward_microseconds = from.forward_us;
  to.verify_microseconds = from.verify_us;
  to.commit_microseconds = from.commit_us;
  std::copy(from.reached_by_depth.begin(), from.reached_by_depth.end(),
            to.reached_by_depth);
  std::copy(from.accepted_by_depth.begin(), from.accepted_by_depth.end(),
            to.accepted_by_depth);
  to.num_drafters = static_cast<uint32_t>(
      std::min<size_t>(from.drafters.size(), SPECINFER_MAX_DRAFTERS));
  for (uint32_t i = 0; i < to.num_drafters; ++i)
    to.drafters[i] = ToC(from.drafters[i]);
  to.strategy = static_cast<int32_t>(from.strategy);
  to.num_plan_changes = from.num_plan_changes;
  to.last_tree_nodes = from.last_tree_nodes;
  to.last_error = static_cast<int32_t>(from.last_error.code());
  const absl::string_view message = from.last_error.message();
  CopyText({message.data(), message.size()}, to.last_error_text);
  to.predicted_gain = from.predicted_gain;
  to.realised_gain = from.realised_gain;
  if (from.plain_seconds > 0.0) {
    to.plain_tokens_per_second = 1.0 / from.plain_seconds;
    to.tokens_per_second = from.realised_gain / from.plain_seconds;
  }
  return to;
}

// Calls the host with a round; keeps the arrays it borrows.
class RoundReporter {
 public:
  RoundReporter(specinfer_round_callback callback, void* user_data)
      : callback_(callback), user_data_(user_data) {}

  void operator()(const RoundReport& report) {
    KeepNodes(report);
    const std::string_view reason = report.plan.reason;
    specinfer_round round = {};
    round.struct_size = sizeof(specinfer_round);
    round.node_size = sizeof(specinfer_round_node);
    round.nodes = nodes_.data();
    round.num_nodes = nodes_.size();
    round.tokens = report.walk.tokens.data();
    round.num_tokens = report.walk.tokens.size();
    round.strategy = static_cast<int32_t>(report.plan.strategy);
    round.num_context_tokens = static_cast<uint32_t>(report.num_context_tokens);
    round.start_microseconds = static_cast<uint64_t>(report.start_us);
    round.draft_microseconds = static_cast<uint64_t>(report.times.draft_us);
    round.forward_microseconds = static_cast<uint64_t>(report.times.forward_us);
    round.verify_microseconds = static_cast<uint64_t>(report.times.verify_us);
    round.commit_microseconds = static_cast<uint64_t>(report.times.commit_us);
    round.predicted_tokens = report.plan.expected_tokens;
    round.predicted_seconds = report.plan.expected_seconds +
                              static_cast<double>(report.times.draft_us) * 1e-6;
    round.plain_seconds = report.plan.plain_seconds;
    round.reason = reason.data();
    round.reason_length = reason.size();
    callback_(user_data_, &round);
  }

 private:
  void KeepNodes(const RoundReport& report) {
    nodes_.clear();
    for (int32_t node = 0; node < report.tree.size(); ++node) {
      specinfer_round_node kept = {};
      kept.token = report.tree.token(node);
      kept.parent = report.tree.parent(node);
      kept.drafter = node == 0 ? -1 : report.tree.source(node);
      kept.score = report.tree.score(node);
      nodes_.push_back(kept);
    }
    for (const int32_t node : report.walk.path)
      nodes_[static_cast<size_t>(node)].accepted = 1;
  }

  specinfer_round_callback callback_;
  void* user_data_;
  std::vector<specinfer_round_node> nodes_;
};

}  // namespace
}  // namespace specinfer

extern "C" {

specinfer_status specinfer_session_get_speculation_statistics(
    specinfer_session* session,
    specinfer_speculation_statistics* out_statistics) {
  return specinfer::SessionEdge(
      session, [&](specinfer_session& handle) -> absl::Status {
        SPECINFER_RETURN_IF_ERROR(specinfer::CheckSizedOutput(
            out_statistics, specinfer::kStatistics));
        specinfer::WriteSizedStruct(
            specinfer::ToC(handle.session->speculation_statistics()),
            out_statistics);
        return absl::OkStatus();
      });
}

specinfer_status specinfer_session_set_round_callback(
    specinfer_session* session, specinfer_round_callback callback,
    void* user_data) {
  return specinfer::SessionEdge(
      session, [&](specinfer_session& handle) -> absl::Status {
        handle.session->SetRoundObserver(
            callback == nullptr
                ? specinfer::RoundObserver()
                : specinfer::RoundReporter(callback, user_data));
        return absl::OkStatus();
      });
}

}  // extern "C"
