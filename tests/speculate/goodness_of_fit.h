// How far counts are from a law.
#ifndef SPECINFER_TESTS_SPECULATE_GOODNESS_OF_FIT_H_
#define SPECINFER_TESTS_SPECULATE_GOODNESS_OF_FIT_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

namespace specinfer {

// What a right sampler stays below but for one time in three million.
inline constexpr double kFiveSigma = 5.0;

// A statistic of the chi-square law with `freedom` degrees, as a standard
// normal (Wilson and Hilferty 1931).
inline double AsNormal(double statistic, double freedom) {
  const double spread = 2.0 / (9.0 * freedom);
  return (std::cbrt(statistic / freedom) - (1.0 - spread)) / std::sqrt(spread);
}

// `counts` against `law` [cells]; cells expected less than eight times are one.
// `is_likelihood_ratio`: the G-test instead of Pearson's. What has no mass must
// not have come at all.
inline double Deviation(const std::vector<int64_t>& counts,
                        const std::vector<double>& law,
                        bool is_likelihood_ratio = false) {
  const double total = static_cast<double>(
      std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  double statistic = 0.0, rare_expected = 0.0, rare_count = 0.0;
  int num_cells = 0;
  const auto add = [&](double count, double expected) {
    ++num_cells;
    if (!is_likelihood_ratio) {
      statistic += (count - expected) * (count - expected) / expected;
    } else if (count > 0.0) {
      statistic += 2.0 * count * std::log(count / expected);
    }
  };
  for (size_t i = 0; i < counts.size(); ++i) {
    const double count = static_cast<double>(counts[i]);
    if (law[i] == 0.0 && counts[i] > 0) return 1e9;
    if (law[i] * total >= 8.0) {
      add(count, law[i] * total);
    } else {
      rare_expected += law[i] * total;
      rare_count += count;
    }
  }
  if (rare_expected >= 8.0) add(rare_count, rare_expected);
  return num_cells < 2 ? 0.0
                       : AsNormal(std::max(statistic, 0.0), num_cells - 1);
}

// The noise floor: as many draws from `law` itself.
inline double DeviationOfTheLawItself(const std::vector<double>& law,
                                      int64_t num_draws,
                                      bool is_likelihood_ratio = false) {
  std::mt19937_64 random(2024);
  std::discrete_distribution<size_t> draw(law.begin(), law.end());
  std::vector<int64_t> counts(law.size());
  for (int64_t i = 0; i < num_draws; ++i) ++counts[draw(random)];
  return Deviation(counts, law, is_likelihood_ratio);
}

}  // namespace specinfer

#endif  // SPECINFER_TESTS_SPECULATE_GOODNESS_OF_FIT_H_
