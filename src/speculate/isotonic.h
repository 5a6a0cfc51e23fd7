// Isotonic regression by pooling adjacent violators.
#ifndef SPECINFER_SRC_SPECULATE_ISOTONIC_H_
#define SPECINFER_SRC_SPECULATE_ISOTONIC_H_

#include "absl/types/span.h"

namespace specinfer {

// Replaces `values` by the sequence of that order that is nearest to them in
// weighted squares: runs that break the order become their weighted mean.
// REQUIRES: as many `weights`, all above zero.
void MakeNonIncreasing(absl::Span<double> values,
                       absl::Span<const double> weights);
void MakeNonDecreasing(absl::Span<double> values,
                       absl::Span<const double> weights);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_ISOTONIC_H_
