#include "measurement.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "failure.h"

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
  add("bandwidth_gbs", "%.1f GB/s read", 1);
  add("peak_bytes", "peak %.1f MB", 1e-6);
  return note;
}

}  // namespace

double Quantile(std::vector<double> values, double quantile) {
  std::sort(values.begin(), values.end());
  if (quantile == 0.5 && values.size() % 2 == 0) {
    return (values[values.size() / 2 - 1] + values[values.size() / 2]) / 2;
  }
  // Nearest rank: of 100 values the 99th is p99.
  const double rank = std::ceil(quantile * static_cast<double>(values.size()));
  return values[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

void PutTimes(const std::vector<double>& milliseconds, BenchRow& row) {
  row["milliseconds"] = Quantile(milliseconds, 0.5);
  row["milliseconds_min"] =
      *std::min_element(milliseconds.begin(), milliseconds.end());
  row["milliseconds_max"] =
      *std::max_element(milliseconds.begin(), milliseconds.end());
}

void PrintTable(const std::vector<BenchRow>& rows) {
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

void WriteJsonLines(const std::string& path,
                    const std::vector<BenchRow>& rows) {
  std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "wb");
  if (file == nullptr) {
    throw Failure("file \"" + path + "\": " + std::strerror(errno));
  }
  for (const BenchRow& row : rows) {
    std::fprintf(file, "%s\n", row.dump().c_str());
  }
  const bool is_written =
      file == stdout ? std::fflush(file) == 0 : std::fclose(file) == 0;
  if (!is_written) throw Failure("file \"" + path + "\" could not be written");
}

}  // namespace specinfer_cli
