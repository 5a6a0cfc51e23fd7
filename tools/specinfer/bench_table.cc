#include "bench_table.h"

#include <cstdio>
#include <string>

#include "prompts_report.h"
#include "transcripts_bench.h"

namespace specinfer_cli {
namespace {

std::string Cell(const BenchRow& row, const char* key, const char* format,
                 double factor = 1) {
  const auto found = row.find(key);
  if (found == row.end() || !found->is_number()) return "-";
  char text[40];
  std::snprintf(text, sizeof(text), format, found->get<double>() * factor);
  return text;
}

std::string Note(const BenchRow& row) {
  std::string note;
  const auto add = [&](const char* key, const char* format, double factor) {
    if (!row.contains(key)) return;
    if (!note.empty()) note += ", ";
    note += Cell(row, key, format, factor);
  };
  add("milliseconds_p99", "p99 %.3f ms", 1);
  add("perplexity", "perplexity %.4f", 1);
  add("bound_milliseconds", "bound %.3f ms", 1);
  add("bound_fraction", "%.0f %% of the bound", 100);
  add("peak_bytes", "peak %.1f MB", 1e-6);
  return note;
}

// t(n) in a table of its own: its columns are its point.
void PrintRowsTable(const std::vector<BenchRow>& rows) {
  std::printf("%-7s %7s %11s %11s %11s %9s %11s %9s  %s\n", "rows", "context",
              "median ms", "min", "max", "t(n)/t(1)", "bound ms", "reached",
              "bound by");
  for (const BenchRow& row : rows) {
    std::printf("%-7s %7s %11s %11s %11s %9s %11s %7s %%  %s\n",
                Cell(row, "rows", "%.0f").c_str(),
                Cell(row, "context", "%.0f").c_str(),
                Cell(row, "milliseconds", "%.3f").c_str(),
                Cell(row, "milliseconds_min", "%.3f").c_str(),
                Cell(row, "milliseconds_max", "%.3f").c_str(),
                Cell(row, "ratio_to_one_row", "%.2f").c_str(),
                Cell(row, "bound_milliseconds", "%.3f").c_str(),
                Cell(row, "bound_fraction", "%.0f", 100).c_str(),
                row.value("bound_by", "-").c_str());
  }
}

void PrintArmsTable(const std::vector<BenchRow>& rows) {
  std::printf("%-11s %7s %7s %11s %11s %11s %11s  %s\n", "what", "tokens",
              "context", "median ms", "min", "max", "tokens/s", "");
  for (const BenchRow& row : rows) {
    std::printf("%-11s %7s %7s %11s %11s %11s %11s  %s\n",
                row["what"].get<std::string>().c_str(),
                Cell(row, "tokens", "%.0f").c_str(),
                Cell(row, "context", "%.0f").c_str(),
                Cell(row, "milliseconds", "%.3f").c_str(),
                Cell(row, "milliseconds_min", "%.3f").c_str(),
                Cell(row, "milliseconds_max", "%.3f").c_str(),
                Cell(row, "tokens_per_second", "%.1f").c_str(),
                Note(row).c_str());
  }
}

// The machine's rates behind all bounds.
void PrintRates(const BenchRow& row) {
  std::printf(
      "\n%s, %s, %s threads; between the runs: %s GB/s read, %s GMAC/s in "
      "bytes, %s GMAC/s in floats\n",
      row.value("cpu", "unknown").c_str(), row.value("backend", "-").c_str(),
      Cell(row, "threads", "%.0f").c_str(),
      Cell(row, "bandwidth_gbs", "%.1f").c_str(),
      Cell(row, "peak_int8_gmacs", "%.0f").c_str(),
      Cell(row, "peak_float_gmacs", "%.0f").c_str());
}

}  // namespace

void PrintTable(const std::vector<BenchRow>& rows) {
  std::vector<BenchRow> passes, others, prompts, transcripts;
  for (const BenchRow& row : rows) {
    const std::string what = row["what"];
    (what == "rows"                          ? passes
     : what == "prompts" || what == "prompt" ? prompts
     : what == "transcripts"                 ? transcripts
                                             : others)
        .push_back(row);
  }
  if (!passes.empty()) PrintRowsTable(passes);
  if (!passes.empty() && !others.empty()) std::printf("\n");
  if (!others.empty()) PrintArmsTable(others);
  for (const BenchRow& row : rows) {
    if (!row.contains("bandwidth_gbs")) continue;
    PrintRates(row);
    break;
  }
  const bool has_arms = !passes.empty() || !others.empty();
  if (!prompts.empty() && has_arms) std::printf("\n");
  PrintPromptsTable(prompts);
  if (!transcripts.empty() && (has_arms || !prompts.empty())) std::printf("\n");
  if (!transcripts.empty()) PrintTranscriptsTable(transcripts);
}

}  // namespace specinfer_cli
