#include "src/speculate/verifier.h"

#include "src/base/status_macros.h"

namespace specinfer {

void Walk::Reserve(int32_t max_nodes) {
  path.reserve(static_cast<size_t>(max_nodes));
  tokens.reserve(static_cast<size_t>(max_nodes));
  nodes.reserve(static_cast<size_t>(max_nodes));
}

absl::Status MatchVerify(
    const TokenTree& tree,
    absl::FunctionRef<absl::StatusOr<Token>(int32_t node)> choose, Walk* walk) {
  walk->path.assign(1, 0);
  walk->tokens.clear();
  walk->nodes.clear();
  for (int32_t node = 0;;) {
    SPECINFER_ASSIGN_OR_RETURN(const Token token, choose(node));
    walk->tokens.push_back(token);
    walk->nodes.push_back(node);
    node = tree.FindChild(node, token);
    if (node < 0) return absl::OkStatus();
    walk->path.push_back(node);
  }
}

}  // namespace specinfer
