// The norm of an architecture, whichever it is.
#ifndef SPECINFER_SRC_FORWARD_NORM_H_
#define SPECINFER_SRC_FORWARD_NORM_H_

#include "absl/status/status.h"

#include "src/backend/stream.h"
#include "src/model/architecture.h"
#include "src/model/weights.h"

namespace specinfer {

// `out` may be `in`.
absl::Status Normalize(const Architecture& architecture, const Tensor& in,
                       const NormWeights& weights, const Tensor& out,
                       Stream& stream);

}  // namespace specinfer

#endif  // SPECINFER_SRC_FORWARD_NORM_H_
