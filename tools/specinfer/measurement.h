// Measurement: the times of one benchmarked arm, and a row of the report.
#ifndef SPECINFER_TOOLS_SPECINFER_MEASUREMENT_H_
#define SPECINFER_TOOLS_SPECINFER_MEASUREMENT_H_

#include <chrono>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace specinfer_cli {

using BenchRow = nlohmann::ordered_json;

class Stopwatch {
 public:
  double Milliseconds() const {
    return std::chrono::duration<double, std::milli>(
               std::chrono::steady_clock::now() - begin_)
        .count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ =
      std::chrono::steady_clock::now();
};

// The value below which the share `quantile` of `values` lies; the mean of the
// middle two for a median of an even number. REQUIRES: not empty.
double Quantile(std::vector<double> values, double quantile);

// Puts milliseconds (the median), milliseconds_min and milliseconds_max.
void PutTimes(const std::vector<double>& milliseconds, BenchRow& row);

// Writes the rows to the file `path`, one object per line. Throws Failure.
void WriteJsonLines(const std::string& path, const std::vector<BenchRow>& rows);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_MEASUREMENT_H_
