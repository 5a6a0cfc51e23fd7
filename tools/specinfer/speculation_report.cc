#include "speculation_report.h"

#include <algorithm>
#include <cstdio>

#include "failure.h"
#include "speculation_options.h"

namespace specinfer_cli {
namespace {

uint32_t NumDrafters(const specinfer_speculation_statistics& all) {
  return std::min<uint32_t>(all.num_drafters, SPECINFER_MAX_DRAFTERS);
}

// Up to the deepest node that was reached.
size_t NumDepths(const specinfer_speculation_statistics& all) {
  size_t num_depths = SPECINFER_MAX_DEPTHS;
  while (num_depths > 0 && all.reached_by_depth[num_depths - 1] == 0) {
    --num_depths;
  }
  return num_depths;
}

nlohmann::ordered_json ToJson(const specinfer_drafter_statistics& drafter) {
  return {{"name", std::string(drafter.name)},
          {"num_drafts", drafter.num_drafts},
          {"num_proposed", drafter.num_proposed},
          {"num_reached", drafter.num_reached},
          {"num_accepted", drafter.num_accepted},
          {"num_errors", drafter.num_errors},
          {"microseconds", drafter.microseconds}};
}

double Ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0
                    : static_cast<double>(part) / static_cast<double>(whole);
}

// "speculation   2.31 tokens per round, 1.72 × plain decoding; now: tree".
std::string FirstLine(const specinfer_speculation_statistics& all) {
  char line[200];
  std::snprintf(line, sizeof(line), "speculation   %.2f tokens per round",
                Ratio(all.num_tokens, all.num_rounds));
  std::string text = line;
  if (all.plain_tokens_per_second > 0 && all.tokens_per_second > 0) {
    std::snprintf(line, sizeof(line),
                  ", %.2f times plain decoding's %.1f tokens/s",
                  all.tokens_per_second / all.plain_tokens_per_second,
                  all.plain_tokens_per_second);
    text += line;
  }
  if (all.predicted_gain > 0) {
    std::snprintf(line, sizeof(line), " (predicted %.2f)", all.predicted_gain);
    text += line;
  }
  return text + "; now: " + StrategyWord(all.strategy) + "\n";
}

std::string DrafterLine(const specinfer_drafter_statistics& drafter) {
  char line[200];
  std::snprintf(line, sizeof(line),
                "  %-11s %llu of %llu guesses kept (%.0f %% of those reached) "
                "in %.2f s",
                drafter.name,
                static_cast<unsigned long long>(drafter.num_accepted),
                static_cast<unsigned long long>(drafter.num_proposed),
                100 * Ratio(drafter.num_accepted, drafter.num_reached),
                1e-6 * static_cast<double>(drafter.microseconds));
  std::string text = line;
  if (drafter.num_errors > 0) {
    text += ", " + std::to_string(drafter.num_errors) + " drafts failed";
  }
  return text + "\n";
}

}  // namespace

specinfer_speculation_statistics GetSpeculation(specinfer_session* session) {
  specinfer_speculation_statistics all = SPECINFER_SPECULATION_STATISTICS_INIT;
  Check(specinfer_session_get_speculation_statistics(session, &all));
  return all;
}

nlohmann::ordered_json ToJson(const specinfer_speculation_statistics& all) {
  nlohmann::ordered_json object = {
      {"num_rounds", all.num_rounds},
      {"num_tokens", all.num_tokens},
      {"num_speculative_rounds", all.num_speculative_rounds},
      {"draft_microseconds", all.draft_microseconds},
      {"forward_microseconds", all.forward_microseconds},
      {"verify_microseconds", all.verify_microseconds},
      {"commit_microseconds", all.commit_microseconds},
      {"strategy", StrategyWord(all.strategy)},
      {"num_plan_changes", all.num_plan_changes},
      {"last_tree_nodes", all.last_tree_nodes},
      {"last_error", all.last_error},
      {"last_error_text", std::string(all.last_error_text)},
      {"predicted_gain", all.predicted_gain},
      {"realised_gain", all.realised_gain},
      {"plain_tokens_per_second", all.plain_tokens_per_second},
      {"tokens_per_second", all.tokens_per_second}};
  const size_t num_depths = NumDepths(all);
  object["reached_by_depth"] = std::vector<uint64_t>(
      all.reached_by_depth, all.reached_by_depth + num_depths);
  object["accepted_by_depth"] = std::vector<uint64_t>(
      all.accepted_by_depth, all.accepted_by_depth + num_depths);
  auto& drafters = object["drafters"] = nlohmann::ordered_json::array();
  for (uint32_t i = 0; i < NumDrafters(all); ++i) {
    drafters.push_back(ToJson(all.drafters[i]));
  }
  return object;
}

std::string Describe(const specinfer_speculation_statistics& all) {
  if (all.num_rounds == 0) return "";
  std::string text = FirstLine(all);
  for (uint32_t i = 0; i < NumDrafters(all); ++i) {
    if (all.drafters[i].num_drafts > 0) text += DrafterLine(all.drafters[i]);
  }
  if (all.last_error != SPECINFER_OK) {
    text += "  last failed draft: " + std::string(all.last_error_text) + "\n";
  }
  return text;
}

}  // namespace specinfer_cli
