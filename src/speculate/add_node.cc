#include "src/speculate/add_node.h"

namespace specinfer {
namespace {

int32_t NumChildren(const TokenTree& tree, int32_t node) {
  int32_t count = 0;
  for (int32_t child = tree.first_child(node); child >= 0;
       child = tree.next_sibling(child)) {
    ++count;
  }
  return count;
}

}  // namespace

int32_t AddNodeIfWorth(const DraftRequest& request, int32_t parent, Token token,
                       double score, TokenTree* tree) {
  if (tree->FindChild(parent, token) < 0 &&
      (tree->is_full() || !request.budget.IsWorth(score, tree->size()) ||
       NumChildren(*tree, parent) >= request.budget.max_children)) {
    return -1;
  }
  return tree->AddNode(parent, token, static_cast<float>(score),
                       request.source);
}

}  // namespace specinfer
