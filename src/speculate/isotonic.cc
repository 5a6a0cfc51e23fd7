#include "src/speculate/isotonic.h"

#include <algorithm>
#include <cstddef>

namespace specinfer {

void MakeNonDecreasing(absl::Span<double> values,
                       absl::Span<const double> weights) {
  for (size_t last = 1; last < values.size(); ++last) {
    size_t first = last;
    double mean = values[last];
    double weight = weights[last];
    while (first > 0 && values[first - 1] > mean) {
      // The pool before this one: equal values.
      const double before = values[first - 1];
      double weight_before = 0.0;
      while (first > 0 && values[first - 1] == before)
        weight_before += weights[--first];
      mean =
          (mean * weight + before * weight_before) / (weight + weight_before);
      weight += weight_before;
    }
    std::fill(values.begin() + first, values.begin() + last + 1, mean);
  }
}

void MakeNonIncreasing(absl::Span<double> values,
                       absl::Span<const double> weights) {
  for (double& value : values) value = -value;
  MakeNonDecreasing(values, weights);
  for (double& value : values) value = -value;
}

}  // namespace specinfer
