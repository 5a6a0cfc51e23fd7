// The ratio test, for drafts that were sampled. Exact in law; unlike matching
// with shared noise (verifier.h) the text depends on the drafter.
#ifndef SPECINFER_SRC_SPECULATE_RATIO_VERIFIER_H_
#define SPECINFER_SRC_SPECULATE_RATIO_VERIFIER_H_

#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/speculate/residual_law.h"
#include "src/speculate/sampled_tree.h"
#include "src/speculate/verifier.h"

namespace specinfer {

// The law of the token after a node, [vocabulary], after all processors and at
// the sampling temperature, with the node's whole path as its context. Asked
// for visited nodes only, in order; valid until the next call.
using TargetLaw =
    absl::FunctionRef<absl::StatusOr<absl::Span<const float>>(int32_t node)>;

// Belongs to one session; not thread-safe. `scratch` is worked in and has the
// tree's vocabulary. Numbers are those of the tree's key: a walk is a function
// of (tree, laws, key). On an error `walk` is not to be used; the tree is as it
// was, and verifying it again gives the same walk.
//
// Sampling without replacement (Sequoia), for trees; on a chain it is the ratio
// test.
absl::Status WithoutReplacementVerify(const SampledTree& tree, TargetLaw law,
                                      ResidualLaw* scratch, Walk* walk);

// The ratio test (speculative sampling), for chains.
// Errors: INVALID_ARGUMENT (not a chain).
absl::Status RatioVerify(const SampledTree& tree, TargetLaw law,
                         ResidualLaw* scratch, Walk* walk);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_RATIO_VERIFIER_H_
