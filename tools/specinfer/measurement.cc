#include "measurement.h"

#include <algorithm>
#include <cmath>

#include "file_text.h"

namespace specinfer_cli {
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

void WriteJsonLines(const std::string& path,
                    const std::vector<BenchRow>& rows) {
  std::string text;
  for (const BenchRow& row : rows) text += row.dump() + "\n";
  WriteFile(path, text);
}

}  // namespace specinfer_cli
