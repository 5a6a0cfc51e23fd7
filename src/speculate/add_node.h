// Growing a tree within a budget.
#ifndef SPECINFER_SRC_SPECULATE_ADD_NODE_H_
#define SPECINFER_SRC_SPECULATE_ADD_NODE_H_

#include <cstdint>

#include "src/speculate/drafter.h"
#include "src/speculate/token_tree.h"

namespace specinfer {

// The child of `parent` that carries `token`, added if there is none and the
// budget says that it is worth it; -1: it is not. A child that is there already
// costs nothing. The depth is the caller's to watch.
int32_t AddNodeIfWorth(const DraftRequest& request, int32_t parent, Token token,
                       double score, TokenTree* tree);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_ADD_NODE_H_
