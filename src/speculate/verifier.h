// Walks a scored tree and alone decides the text.
#ifndef SPECINFER_SRC_SPECULATE_VERIFIER_H_
#define SPECINFER_SRC_SPECULATE_VERIFIER_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

#include "src/speculate/token_tree.h"

namespace specinfer {

// The outcome of a round.
struct Walk {
  std::vector<int32_t> path;   // accepted nodes, ascending, the root first
  std::vector<Token> tokens;   // what the round adds to the text: path[1..] and
                               // one more; never empty
  std::vector<int32_t> nodes;  // the node each of `tokens` was chosen at

  void Reserve(int32_t max_nodes);
};

// Sample-and-match, exact for any proposals (SpecExec; speculation with shared
// noise): at each node the target chooses its token as plain decoding would;
// the walk goes on while a child carries it. `choose` gives the target's token
// at a node; it is called for visited nodes only, in order.
absl::Status MatchVerify(
    const TokenTree& tree,
    absl::FunctionRef<absl::StatusOr<Token>(int32_t node)> choose, Walk* walk);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_VERIFIER_H_
