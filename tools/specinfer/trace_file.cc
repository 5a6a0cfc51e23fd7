#include "trace_file.h"

#include <algorithm>
#include <cmath>

#include "file_text.h"
#include "speculation_options.h"
#include <nlohmann/json.hpp>

namespace specinfer_cli {
namespace {

using nlohmann::ordered_json;

// Rounds that a rate is taken over, so that its curve can be read.
constexpr size_t kRateRounds = 8;

constexpr int kProcess = 1;
enum Track { kRounds = 1, kStages = 2 };

ordered_json Name(const char* what, int track, const char* name) {
  return {{"name", what},
          {"ph", "M"},
          {"pid", kProcess},
          {"tid", track},
          {"args", {{"name", name}}}};
}

ordered_json Span(const std::string& name, Track track, uint64_t start,
                  uint64_t duration) {
  return {{"name", name},   {"cat", track == kRounds ? "round" : "stage"},
          {"ph", "X"},      {"pid", kProcess},
          {"tid", track},   {"ts", start},
          {"dur", duration}};
}

ordered_json Counter(const char* name, uint64_t time, double value) {
  return {{"name", name},
          {"ph", "C"},
          {"pid", kProcess},
          {"ts", time},
          {"args", {{name, value}}}};
}

// The tree: of each node its parent (-1: the root's), whether it was accepted,
// and how likely that seemed.
ordered_json Tree(const RecordedRound& round) {
  ordered_json parents = ordered_json::array();
  ordered_json accepted = ordered_json::array();
  ordered_json scores = ordered_json::array();
  for (const specinfer_round_node& node : round.nodes) {
    parents.push_back(node.parent);
    accepted.push_back(node.accepted != 0 ? 1 : 0);
    scores.push_back(std::round(1e4 * static_cast<double>(node.score)) / 1e4);
  }
  return {{"parents", std::move(parents)},
          {"accepted", std::move(accepted)},
          {"scores", std::move(scores)}};
}

ordered_json Arguments(const RecordedRound& round, size_t index) {
  const size_t num_accepted = static_cast<size_t>(std::count_if(
      round.nodes.begin(), round.nodes.end(),
      [](const auto& node) { return node.parent >= 0 && node.accepted != 0; }));
  return {{"round", index},
          {"strategy", StrategyWord(round.strategy)},
          {"reason", round.reason},
          {"nodes", round.nodes.size()},
          {"accepted", num_accepted},
          {"tokens", round.tokens.size()},
          {"context", round.num_context_tokens},
          {"predicted_tokens", round.predicted_tokens},
          {"predicted_milliseconds", 1e3 * round.predicted_seconds},
          {"plain_milliseconds", 1e3 * round.plain_seconds},
          {"tree", Tree(round)}};
}

// Tokens per second of the last rounds up to `index`.
double Rate(const std::vector<RecordedRound>& rounds, size_t index) {
  const size_t first = index < kRateRounds ? 0 : index + 1 - kRateRounds;
  double num_tokens = 0;
  double microseconds = 0;
  for (size_t i = first; i <= index; ++i) {
    num_tokens += static_cast<double>(rounds[i].tokens.size());
    microseconds += static_cast<double>(rounds[i].Duration());
  }
  return microseconds > 0 ? 1e6 * num_tokens / microseconds : 0;
}

// Gives when the round ended.
uint64_t AddRound(const std::vector<RecordedRound>& rounds, size_t index,
                  uint64_t start, ordered_json& events) {
  const RecordedRound& round = rounds[index];
  events.push_back(
      Span(StrategyWord(round.strategy), kRounds, start, round.Duration()));
  events.back()["args"] = Arguments(round, index);
  events.push_back(
      Counter("tree nodes", start, static_cast<double>(round.nodes.size())));
  uint64_t time = start;
  const std::pair<const char*, uint64_t> stages[] = {{"draft", round.draft},
                                                     {"forward", round.forward},
                                                     {"verify", round.verify},
                                                     {"commit", round.commit}};
  for (const auto& [name, duration] : stages) {
    if (duration > 0) events.push_back(Span(name, kStages, time, duration));
    time += duration;
  }
  events.push_back(Counter("tokens/s", time, Rate(rounds, index)));
  return time;
}

}  // namespace

void WriteTrace(const std::string& path,
                const std::vector<RecordedRound>& rounds) {
  ordered_json events = ordered_json::array();
  events.push_back(Name("process_name", 0, "specinfer"));
  events.push_back(Name("thread_name", kRounds, "rounds"));
  events.push_back(Name("thread_name", kStages, "stages"));
  uint64_t end = 0;
  for (size_t i = 0; i < rounds.size(); ++i) {
    // Whole microseconds are rounded: no round may begin inside another.
    end = AddRound(rounds, i, std::max(rounds[i].start, end), events);
  }
  const ordered_json trace = {{"displayTimeUnit", "ms"},
                              {"traceEvents", std::move(events)}};
  WriteFile(path, trace.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false,
                             ordered_json::error_handler_t::replace));
}

}  // namespace specinfer_cli
