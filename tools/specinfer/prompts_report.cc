#include "prompts_report.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <string>

namespace specinfer_cli {
namespace {

constexpr char kAll[] = "all";

// One strategy over some prompts. Seconds are sums of medians.
struct Total {
  uint64_t num_prompts = 0;
  uint64_t num_tokens = 0;
  uint64_t num_tokens_of_repeats = 0;
  uint64_t num_rounds_of_repeats = 0;
  double seconds = 0;
  double ratio = 0;  // to off; 0: unknown
  double worst_ratio = std::numeric_limits<double>::infinity();
  const Prompt* worst_prompt = nullptr;
  bool is_same_text = true;
};

double Divide(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

// How many times as fast as off, per token: of equal texts, of seconds.
double Ratio(double off_seconds, uint64_t num_off_tokens, double seconds,
             uint64_t num_tokens) {
  return Divide(off_seconds * static_cast<double>(num_tokens),
                seconds * static_cast<double>(num_off_tokens));
}

double RatioToOff(const StrategyResult& off, const StrategyResult& mine) {
  return Ratio(off.Seconds(), off.tokens.size(), mine.Seconds(),
               mine.tokens.size());
}

void Add(const PromptResult& result, const StrategyResult& off,
         const StrategyResult& mine, Total& total) {
  ++total.num_prompts;
  total.num_tokens += mine.tokens.size();
  total.num_tokens_of_repeats += mine.num_tokens;
  total.num_rounds_of_repeats += mine.num_rounds;
  total.seconds += mine.Seconds();
  total.is_same_text &= !mine.differing_position.has_value();
  const double ratio = RatioToOff(off, mine);
  if (ratio > 0 && ratio < total.worst_ratio) {
    total.worst_ratio = ratio;
    total.worst_prompt = &result.prompt;
  }
}

class Report {
 public:
  Report(const std::vector<PromptResult>& results, const BenchOptions& options)
      : results_(results), options_(options) {
    const std::vector<std::string>& names = options.prompts.strategies;
    off_ = static_cast<size_t>(std::find(names.begin(), names.end(), "off") -
                               names.begin());
    for (const PromptResult& result : results) {
      const std::string& category = result.prompt.category;
      if (std::find(categories_.begin(), categories_.end(), category) ==
          categories_.end()) {
        categories_.push_back(category);
      }
    }
  }

  std::vector<BenchRow> Rows() const {
    std::vector<BenchRow> rows;
    std::vector<std::vector<Total>> by_category;
    for (const std::string& category : categories_) {
      by_category.push_back(TotalsOf(&category));
      PutRows(category, by_category.back(), rows);
    }
    std::vector<Total> all = TotalsOf(/*category=*/nullptr);
    for (size_t i = 0; i < all.size(); ++i) {
      double sum = 0;
      for (const auto& totals : by_category) sum += totals[i].ratio;
      all[i].ratio = sum / static_cast<double>(by_category.size());
    }
    PutRows(kAll, all, rows);
    if (options_.prompts.writes_ids) PutPromptRows(rows);
    return rows;
  }

 private:
  // One per strategy; of all prompts for a null category.
  std::vector<Total> TotalsOf(const std::string* category) const {
    std::vector<Total> totals(options_.prompts.strategies.size());
    for (const PromptResult& result : results_) {
      if (category != nullptr && result.prompt.category != *category) continue;
      for (size_t i = 0; i < totals.size(); ++i) {
        Add(result, result.strategies[off_], result.strategies[i], totals[i]);
      }
    }
    const Total& off = totals[off_];
    for (Total& total : totals) {
      total.ratio =
          Ratio(off.seconds, off.num_tokens, total.seconds, total.num_tokens);
    }
    return totals;
  }

  BenchRow SharedKeys(const char* what, size_t strategy,
                      const std::string& category) const {
    return {{"what", what},
            {"strategy", options_.prompts.strategies[strategy]},
            {"category", category},
            {"draft", options_.speculation.draft},
            {"verifier", options_.speculation.verifier},
            {"temperature", options_.prompts.temperature},
            {"seed", options_.prompts.seed},
            {"max_tokens", options_.prompts.max_tokens},
            {"repeats", options_.num_repeats}};
  }

  void PutRows(const std::string& category, const std::vector<Total>& totals,
               std::vector<BenchRow>& rows) const {
    for (size_t i = 0; i < totals.size(); ++i) {
      const Total& total = totals[i];
      BenchRow row = SharedKeys("prompts", i, category);
      row["prompts"] = total.num_prompts;
      row["tokens"] = total.num_tokens;
      row["seconds"] = total.seconds;
      row["tokens_per_second"] =
          Divide(static_cast<double>(total.num_tokens), total.seconds);
      row["tokens_per_round"] =
          Divide(static_cast<double>(total.num_tokens_of_repeats),
                 static_cast<double>(total.num_rounds_of_repeats));
      row["ratio_to_off"] = total.ratio;
      if (total.worst_prompt != nullptr) {
        row["worst_ratio_to_off"] = total.worst_ratio;
        row["worst_prompt"] = total.worst_prompt->index;
        row["worst_prompt_file"] = total.worst_prompt->file;
      }
      row["same_text"] = total.is_same_text;
      rows.push_back(std::move(row));
    }
  }

  void PutPromptRows(std::vector<BenchRow>& rows) const {
    for (const PromptResult& result : results_) {
      for (size_t i = 0; i < result.strategies.size(); ++i) {
        const StrategyResult& mine = result.strategies[i];
        BenchRow row = SharedKeys("prompt", i, result.prompt.category);
        row["file"] = result.prompt.file;
        row["index"] = result.prompt.index;
        row["id"] = result.prompt.id;
        row["prompt_tokens"] = result.num_prompt_tokens;
        row["tokens"] = mine.tokens;
        row["seconds"] = mine.Seconds();
        row["all_seconds"] = mine.seconds;
        row["tokens_per_second"] =
            Divide(static_cast<double>(mine.tokens.size()), mine.Seconds());
        row["tokens_per_round"] = Divide(static_cast<double>(mine.num_tokens),
                                         static_cast<double>(mine.num_rounds));
        row["ratio_to_off"] = RatioToOff(result.strategies[off_], mine);
        row["plan"] = mine.plan;
        row["same_text"] = !mine.differing_position.has_value();
        rows.push_back(std::move(row));
      }
    }
  }

  const std::vector<PromptResult>& results_;
  const BenchOptions& options_;
  size_t off_ = 0;                       // its index among the strategies
  std::vector<std::string> categories_;  // in the order of the files
};

std::string Number(const BenchRow& row, const char* key, const char* format) {
  if (!row.contains(key)) return "-";
  char text[40];
  std::snprintf(text, sizeof(text), format, row[key].get<double>());
  return text;
}

void PrintHeading(const BenchRow& row) {
  std::printf("%s: answers of up to %s tokens at temperature %s",
              row["model"].get<std::string>().c_str(),
              row["max_tokens"].dump().c_str(),
              Number(row, "temperature", "%.3g").c_str());
  const std::string draft = row["draft"].get<std::string>();
  if (!draft.empty()) std::printf(", draft %s", draft.c_str());
  std::printf("; medians of %s\n\n", row["repeats"].dump().c_str());
  std::printf("%-20s %7s  %-10s %9s %7s %13s %7s %7s\n", "category", "prompts",
              "strategy", "tokens/s", "to off", "tokens/round", "worst",
              "prompt");
}

void PrintRow(const BenchRow& row, bool is_first) {
  const bool is_off = row["strategy"] == "off";
  std::string category = row["category"].get<std::string>();
  if (category == kAll) category = "all (mean of ratios)";
  std::printf("%-20s %7s  %-10s %9s %7s %13s", is_first ? category.c_str() : "",
              is_first ? Number(row, "prompts", "%.0f").c_str() : "",
              row["strategy"].get<std::string>().c_str(),
              Number(row, "tokens_per_second", "%.1f").c_str(),
              Number(row, "ratio_to_off", "%.2f").c_str(),
              Number(row, "tokens_per_round", "%.2f").c_str());
  if (!is_off) {
    std::printf(" %7s %7s", Number(row, "worst_ratio_to_off", "%.2f").c_str(),
                Number(row, "worst_prompt", "%.0f").c_str());
  }
  std::printf("%s\n", row["same_text"] == true ? "" : "  another text");
}

}  // namespace

std::vector<BenchRow> PromptsRows(const std::vector<PromptResult>& results,
                                  const BenchOptions& options) {
  if (results.empty()) return {};
  return Report(results, options).Rows();
}

void PrintPromptsTable(const std::vector<BenchRow>& rows) {
  std::vector<const BenchRow*> shown;
  size_t num_categories = 0;
  for (const BenchRow& row : rows) {
    if (row["what"] != "prompts") continue;
    if (shown.empty() || (*shown.back())["category"] != row["category"]) {
      // With a single category, "all" is the same again.
      if (row["category"] == kAll && num_categories == 1) break;
      ++num_categories;
    }
    shown.push_back(&row);
  }
  if (shown.empty()) return;
  PrintHeading(*shown.front());
  for (size_t i = 0; i < shown.size(); ++i) {
    const bool is_first =
        i == 0 || (*shown[i])["category"] != (*shown[i - 1])["category"];
    if (is_first && i > 0) std::printf("\n");
    PrintRow(*shown[i], is_first);
  }
}

}  // namespace specinfer_cli
